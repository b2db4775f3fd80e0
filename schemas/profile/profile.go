package profile

import (
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
}

// Object is one kind of CRM record that stands for a person.
type Object struct {
	Name     string // "Lead", "contacts"
	Mappings []Mapping
	// Rank breaks ties when one number matches several records: lower first.
	Rank int
	// AccountField holds the id of the person's company; "" = none.
	AccountField string
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

// Call is what an activity is rendered from.
type Call struct {
	ID           string
	Revision     int64
	Direction    string
	StartedAt    int64 // ms
	Duration     *int32
	From, To     string
	Disposition  string
	Notes        string
	RecordingURL string
	AgentEmail   string
	OwnerID      string         // the CRM's id of the agent; "" = not known there
	TimeZone     *time.Location // of the event, else of the tenant
	Person       schemas.Link   // the record that the call is logged on
	AccountID    string         // its company in the CRM; "" = none
	Score        *float64
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
	Activity Activity
	Sources  []Source
	Limits   Limits
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

// SourceByName returns the source of that name.
func (p *Profile) SourceByName(name string) (*Source, bool) {
	for i := range p.Sources {
		if p.Sources[i].Name == name {
			return &p.Sources[i], true
		}
	}
	return nil, false
}
