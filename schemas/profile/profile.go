package profile

import (
	"strings"
	"time"

	"github.com/crmstream/crmstream/schemas"
)

// Direction of a field mapping.
type Direction string

// Directions.
const (
	Inbound       Direction = "inbound"
	Outbound      Direction = "outbound"
	Bidirectional Direction = "bidirectional"
)

// Role of a field in finding a person.
type Role string

// Roles.
const (
	Plain Role = ""
	Email Role = "email"
	Phone Role = "phone"
	Owner Role = "owner" // holds the id of an owner; the core turns it into an e-mail by reference data
	// DoNotCall holds a truth value; the values of both sides are OR-ed (B23).
	DoNotCall Role = "do_not_call"
)

// Mapping is one line of the default field mapping.
type Mapping struct {
	Dialer    string // field of sync.contacts: "phone"
	CRM       string // field of the CRM: "Phone"
	Direction Direction
	Role      Role
	MaxLength int // characters that the CRM takes; 0 = no limit known
	// Optional fields are a tenant's own: the CRM may lack them, and would refuse a write
	// whole. They are written only where the tenant's configuration names them.
	Optional bool
}

// Object is one kind of CRM record that stands for a person.
type Object struct {
	Name     string // "Lead", "contacts"
	Mappings []Mapping
	// Rank breaks ties when one number matches several records: lower first.
	Rank int
	// AccountField holds the id of the person's company; "" = none.
	AccountField string
	// Conversion says how the CRM makes another record of one of these; nil = it never does.
	Conversion *Conversion
}

// Conversion is what a record says of the one that the CRM made of it, a Contact of a
// Lead. The old record can't be written any more.
type Conversion struct {
	To      string // object of the new record
	ID      string // field that holds its id; blank = nothing was made of it
	Account string // field that holds the id of its company
	Refused string // the CRM's code for a write to a record that became another
}

// Table is a kind of CRM record that stands for no person: a company, or a deal. Its
// records are read, and never written.
type Table struct {
	Entity   string // schemas.EntityAccount, schemas.EntityOpportunity
	Name     string // "Account", "deals"
	Mappings []Mapping
	// Relation begins the names of its fields where records of persons show them: "Account.";
	// "" = none does.
	Relation string
}

// Source is something that is read page by page, or pushed as a stream.
type Source struct {
	Name string // unique in the profile: "Lead", "owners"
	// Object that its records are of, or the Kind of reference data.
	Object string
	// Limit is the number of records of a page.
	Limit int32
	// Every is how often it is asked again once it has been read to its end; 0 =
	// only once.
	Every time.Duration
}

// Call is what an activity is rendered from. Its text and its outcome are no part of
// it: they go into the fields that Activity names.
type Call struct {
	ID          string
	Revision    int64
	Kind        string // "missed", …; "" = an ordinary call
	Direction   string
	StartedAt   int64 // ms
	Duration    *int32
	From, To    string
	Disposition string // in the dialer's words
	// RecordingURL is there where the CRM has a field for it.
	RecordingURL string
	OwnerID      string         // the CRM's id of whoever is to own the activity; "" = nobody is known
	TimeZone     *time.Location // of the event, else of the rep, else of the tenant
	Person       schemas.Link   // the record that the call is logged on
	AccountID    string         // its company in the CRM; "" = none
	DealID       string         // the deal that it is about; "" = none
}

// Activity says how a call is written to the CRM.
type Activity struct {
	Object string // "Task", "calls"
	// IdentityField is the unique external id that carries the call id. Where the
	// account has it, a first write is an upsert by it and may be repeated.
	IdentityField string
	// Render returns the fields, sorted by name, and the records that the activity
	// is to be linked to by association. Same call, same answer.
	Render func(Call) (fields []schemas.Field, associations []schemas.Link)
	// Body holds the text of a call.
	Body Body
	// Disposition holds the outcome.
	Disposition Disposition
	// OwnerField holds the owner. It is never cleared.
	OwnerField string
	// PersonField holds the id of the person's record; "" = they are linked otherwise. Where
	// a record becomes another, the CRM moves the activities by itself.
	PersonField string
	// RecordingField takes the address of the recording; "" = the CRM has none of its own.
	RecordingField string
	// HasNumbers says that the activity has fields for both numbers.
	HasNumbers bool
	// Needs are the fields without which an activity is none: a call that the CRM takes only
	// without one of them is not logged.
	Needs []string
}

// Body is a field that holds a long text which people edit, too.
type Body struct {
	Field string // "" = none
	Max   int    // characters, of HTML where it is that; 0 = no limit known
	HTML  bool
}

// Disposition is the field that holds the outcome of a call.
type Disposition struct {
	Field string // "" = none
	Max   int    // characters; 0 = no limit known
	// Listed says that the CRM takes the ids of a list alone, not words.
	Listed bool
	// IDs are those of the list that every account has, by label, compared by letters and
	// digits alone.
	IDs []schemas.Field
	// Defaults is what the dialer's dispositions are here, unless a tenant says otherwise:
	// fields of the activity. Where they lack Field, that is the dialer's word.
	Defaults []DispositionDefault
}

// DispositionDefault is what one disposition of the dialer is in the CRM.
type DispositionDefault struct {
	Label  string
	Fields []schemas.Field // by name
}

// Happening is what the record of an event is rendered from.
type Happening struct {
	ID        string // unique in the tenant
	Type      string // "meeting_booked", …
	At        int64  // ms: of a meeting its start, else when it happened
	EndsAt    int64  // ms; 0 = not said
	Title     string
	Location  string
	Cancelled bool
	OwnerID   string
	TimeZone  *time.Location // as of a call
	Person    schemas.Link
	AccountID string
	DealID    string
}

// Target is a kind of record that an event of the dialer may become.
type Target struct {
	Name          string // "task", "event"
	Object        string // "Task", "meetings"
	IdentityField string
	Body          Body
	// Render is as Activity's. Nil: the tenant says what kind of event it is, which stands
	// behind Object and a colon, and which fields it has; it is sent once and never changed.
	Render func(Happening) (fields []schemas.Field, associations []schemas.Link)
}

// At is the field of a Target without Render that says when it happened.
const At = "@at"

// Deal is the kind of record that stands for a deal; its stage is moved by a tenant's
// rules.
type Deal struct {
	Object string // "Opportunity", "deals"; "" = none
	Stage  string // field
	// Listed says that the description of Stage has all stages, in the order in which deals
	// go through them.
	Listed bool
	// Closed is the field that says whether it is; a deal that does not say is moved only
	// out of stages that the rule names.
	Closed string
}

// Member is the kind of record that says that somebody is in a campaign. It has no
// external id: what it is of names it.
type Member struct {
	Object   string            // "CampaignMember"; "" = there are no campaigns
	Campaign string            // field of the campaign's id
	Person   map[string]string // field of the person's id, by the person's kind of record
}

// Identity names a record that has no external id: the fields that together tell it, and
// their values, each joined by a plus sign.
type Identity struct{ Field, Value string }

// Identity of somebody in a campaign; ok is false for a kind of record that is in none.
func (m Member) Identity(campaign, object, id string) (is Identity, ok bool) {
	f, ok := m.Person[object]
	return Identity{Field: m.Campaign + "+" + f, Value: campaign + "+" + id}, ok
}

// NewPerson is how a lead is made for a number that nobody has.
type NewPerson struct {
	Object string // "Lead", "contacts"; "" = none is made
	Phone  string // field that takes the number
	// Fields are what the CRM wants of each, by name: nothing else is known.
	Fields []schemas.Field
}

// Limits bound what one request may carry.
type Limits struct {
	Upsert, Update, Create, Read int // records
	// Bytes of names and values that one request may carry; 0 = 512 KiB. One record
	// always goes, alone.
	Bytes    int
	InFlight int // requests of one account at a time
	// Gap is the least time between two requests of one account. A CRM that counts
	// requests in a window is used evenly by it: what waits meanwhile goes in one
	// request. 0 = none.
	Gap time.Duration
}

// Profile is one CRM as the core sees it.
type Profile struct {
	Provider string
	Objects  []Object // by Rank
	Tables   []Table
	Activity Activity
	// Targets are what events may become; Events says what they become where a tenant says
	// nothing: a type that is not there becomes nothing.
	Targets []Target
	Events  []schemas.EventTarget
	Deal    Deal
	Member  Member
	New     NewPerson
	// FindsByPhone says that persons can be looked for by a number.
	FindsByPhone bool
	Sources      []Source
	Limits       Limits
	// NormalizeID returns the one form of a record id (Salesforce has two); nil = as it is.
	NormalizeID func(string) string
}

// ObjectByName returns the object of that name.
func (p *Profile) ObjectByName(name string) (*Object, bool) {
	for i := range p.Objects {
		if p.Objects[i].Name == name {
			return &p.Objects[i], true
		}
	}
	return nil, false
}

// TableByName returns the table of that name.
func (p *Profile) TableByName(name string) (*Table, bool) {
	for i := range p.Tables {
		if p.Tables[i].Name == name {
			return &p.Tables[i], true
		}
	}
	return nil, false
}

// TargetByName returns the target of that name.
func (p *Profile) TargetByName(name string) (*Target, bool) {
	for i := range p.Targets {
		if p.Targets[i].Name == name {
			return &p.Targets[i], true
		}
	}
	return nil, false
}

// Again ends the name of a source that is read from its beginning once more, beside
// and behind everything else.
const Again = "~again"

// SourceByName returns the source of that name, whether it is read once more or not.
func (p *Profile) SourceByName(name string) (*Source, bool) {
	name = strings.TrimSuffix(name, Again)
	for i := range p.Sources {
		if p.Sources[i].Name == name {
			return &p.Sources[i], true
		}
	}
	return nil, false
}
