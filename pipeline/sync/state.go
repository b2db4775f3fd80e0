package sync

import (
	"fmt"
	"strconv"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/value"
)

// Kinds of state entries. Those of deliver are other letters.
const (
	kindConfig  state.Kind = 'g' // → settings
	kindPerson  state.Kind = 'p' // id → person
	kindLink    state.Kind = 'l' // provider NUL object NUL id → person id
	kindContact state.Kind = 'c' // dialer contact id → person id; contacts.go: who has several
	kindEmail   state.Kind = 'e' // e-mail NUL person
	kindPhone   state.Kind = 'n' // E.164 NUL person
	kindCall    state.Kind = 'C' // call id → call
	kindHeld    state.Kind = 'h' // what it waits for NUL call id
	kindStream  state.Kind = 'S' // provider → stream position
	kindOwner   state.Kind = 'O' // provider NUL e-mail → owner id
	kindOwnerID state.Kind = 'I' // provider NUL owner id → e-mail
	kindZone    state.Kind = 'z' // provider NUL owner id → IANA name of his time zone, where it is not the tenant's to say
	kindUnknown state.Kind = 'u' // seq → record of a tenant that is not configured
	kindWaiting state.Kind = 'w' // there are such records
	kindAction  state.Kind = 'D' // action id: it was done
	kindLoaded  state.Kind = 'L' // provider NUL object: read to its end once
	kindScript  state.Kind = 'Q' // key of a script → why it is not run any more
)

// Kinds of timers. Those of deliver are small letters.
const (
	timerRelease  byte = 'R' // what calls waited for: it is there
	timerGiveUp   byte = 'G' // call id: held too long
	timerForget   byte = 'F' // call id: outside the window of duplicates
	timerUnknown  byte = 'U' // tenant: its configuration came, or never did
	timerDrop     byte = 'D' // what calls waited for: they are not to be logged
	timerAction   byte = 'A' // action id: its repeat is no longer to be expected
	timerSweep    byte = 'W' // person id, or "" for the first: those after it may have links of replaced accounts
	sweepAtOnce        = 100 // persons looked at in one tick
	releaseAtOnce      = 100 // calls released in one tick
)

const (
	day           = int64(24 * 60 * 60 * 1000)
	callWindow    = 396 * day // thirteen months
	heldFor       = 30 * day
	unknownFor    = day
	aheadMost     = day      // of a time from outside: clocks differ, but not so much
	actionFor     = 90 * day // what control.actions keeps
	unknownMost   = 10_000
	unknownBytes  = 64 << 20
	unknownAtOnce = 1000
)

// system entries: the tenants of a partition, and how much is held for unknown ones.
const sysTenant state.Kind = 'T'

// settings is what a tenant is configured to, and the accounts that it has had.
type settings struct {
	Tenant schemas.TenantConfig `avro:"tenant"`
	Orgs   []org                `avro:"orgs"`
	Salt   []byte               `avro:"salt"` // key of the hashes of persons who were erased; empty = nobody was
	// Numbers says that of a number it was said that it may not be dialled.
	Numbers bool `avro:"numbers"`
	// Facts are what the mapping has to heed of what the CRMs describe.
	Facts []mapping.Fact `avro:"facts"`
}

// org is the account of one CRM, kept when it is taken out: the same id coming back
// is the same CRM.
type org struct {
	Provider   string `avro:"provider"`
	ID         string `avro:"id"`
	Generation int64  `avro:"generation"` // how many accounts it has replaced
}

type fieldValue struct {
	Name  string  `avro:"name"`
	Value *string `avro:"value"`
	At    int64   `avro:"at"`     // ms, at its origin
	From  string  `avro:"origin"` // "dialer" or a provider
	Ref   string  `avro:"ref"`    // the input that brought it
}

// past is what a field has behind it, where both sides said something.
type past struct {
	Field string `avro:"field"`
	// The latest time of what the dialer, and of what the CRMs said and the value in force
	// replaced or beat; 0 = nothing.
	Dialer int64 `avro:"dialer"`
	CRM    int64 `avro:"crm"`
}

type link struct {
	Provider string          `avro:"provider"`
	Object   string          `avro:"object"`
	ID       string          `avro:"id"`
	Known    []schemas.Field `avro:"known"`  // mapped fields as the CRM holds them, in its form, by name
	Wanted   []schemas.Field `avro:"wanted"` // on their way to the CRM
	// Refused are values that the CRM did not take: they are not sent again until they
	// change, here or there.
	Refused  []schemas.Field `avro:"refused"`
	Account  string          `avro:"account"`
	Deleted  bool            `avro:"deleted"`
	Revision int64           `avro:"revision"` // of the last write
	// Generation of the account: a link of an earlier one is dropped when its person is
	// next looked at.
	Generation int64 `avro:"generation"`
	// Whole is the record's time, in ms, when all of Known was last said of it: what an
	// older record of it says is not what it holds.
	Whole int64 `avro:"whole"`
	// Warnings are the fields whose value was not as it should be, by the dialer's names,
	// with why: they stay raw inbound, and are left out outbound.
	Warnings []schemas.Field `avro:"warnings"`
	// Sent are values that were on their way when another one took their place, and those that
	// the CRM has taken: what it says of them a moment later is no word of its own.
	Sent []sentValue `avro:"sent"`
	// Out says that it does not satisfy the tenant's scope; Scope is what the scope asks for,
	// by the CRM's names, as the CRM said it at ScopeAt.
	Out     bool            `avro:"out"`
	Scope   []schemas.Field `avro:"scope"`
	ScopeAt int64           `avro:"scope_at"` // ms
	// Row is the status that sync.records has of it, "" if it is not listed; RowSince is
	// since when it is, in ms.
	Row      string `avro:"row"`
	RowSince int64  `avro:"row_since"`
}

// sentValue is a value of ours, in the CRM's form, that a record may say it has.
type sentValue struct {
	Name  string  `avro:"name"`
	Value *string `avro:"value"`
	Until int64   `avro:"until"` // ms, when it was known to be over; 0 = it is not yet
	// Landed says that the CRM has taken it, over Before, and that nothing had taken its place
	// here then.
	Landed bool    `avro:"landed"`
	Before *string `avro:"before"`
}

type person struct {
	ID        string       `avro:"id"`
	Fields    []fieldValue `avro:"fields"` // by name
	Links     []link       `avro:"links"`
	ContactID *string      `avro:"contact_id"`
	DNC       bool         `avro:"dnc"`
	DNCAt     int64        `avro:"dnc_at"`   // ms, of the last explicit word
	DNCFrom   string       `avro:"dnc_from"` // who said it first, and with which input
	DNCRef    string       `avro:"dnc_ref"`
	Status    string       `avro:"status"`
	Past      []past       `avro:"past"` // of fields that several sides said, in the order in which they did
	// Disputes are fields of which a CRM wants another value, few or none.
	Disputes []dispute `avro:"disputes"`
}

// dispute is a field that a CRM undid, and, where it is open, one that waits for a
// person: both sides keep their value until then.
type dispute struct {
	Field    string       `avro:"field"`
	Undone   int64        `avro:"undone"`    // how often CRMs undid the value that is in force
	OpenedAt int64        `avro:"opened_at"` // ms; 0 = it is not open
	Kind     string       `avro:"kind"`      // as on sync.conflicts
	Value    *string      `avro:"value"`     // what the CRM wants, in the dialer's form
	At       int64        `avro:"at"`        // ms, by the CRM's clock
	From     string       `avro:"origin"`
	Ref      string       `avro:"ref"`
	Record   schemas.Link `avro:"record"`
}

type activity struct {
	Provider string          `avro:"provider"`
	Account  string          `avro:"account"` // id of the account that it is in
	Object   string          `avro:"object"`
	ID       string          `avro:"id"`
	URL      string          `avro:"url"`
	Status   string          `avro:"status"`
	Reason   string          `avro:"reason"`
	At       int64           `avro:"at"`
	Fields   []schemas.Field `avro:"fields"` // as last wanted
	Person   schemas.Link    `avro:"person"`
	Revision int64           `avro:"revision"` // of the last write
	Local    bool            `avro:"local"`    // shown on sync.records under its local key
	Text     []byte          `avro:"text"`     // hash of the text of which the block was made; empty = of none
	BlockAt  int64           `avro:"block_at"` // where our block begins in the description, as last wanted
	BlockLen int64           `avro:"block_len"`
	AskedAt  int64           `avro:"asked_at"` // ms: what stands in the description is being read; 0 = it is not
	Ended    string          `avro:"ended"`    // status in which the last write ended; "" = it is on its way
	Dropped  []schemas.Field `avro:"dropped"`  // fields that the CRM refused, with why: the rest is there
}

type call struct {
	Event      schemas.CallEvent `avro:"event"`    // as edited
	Base       int64             `avro:"base"`     // revision that came whole; 0 = none yet
	Edits      []callEdit        `avro:"edits"`    // by name
	Dropped    string            `avro:"dropped"`  // why somebody decided that it is not to be logged; "" = nobody did
	Released   bool              `avro:"released"` // to be logged although it has not ended
	Link       *schemas.Link     `avro:"link"`     // the record that somebody named for it
	Person     string            `avro:"person"`
	Ambiguous  bool              `avro:"ambiguous"`
	Candidates []schemas.Link    `avro:"candidates"`
	Status     string            `avro:"status"`
	Reason     string            `avro:"reason"`
	HeldOn     []string          `avro:"held_on"`    // what it waits for
	GiveUpAt   int64             `avro:"give_up_at"` // ms, while it is held; 0 = it is not
	Activities []activity        `avro:"activities"`
	Ref        string            `avro:"ref"`
	Tallied    string            `avro:"tallied"` // person whose counters it is in
	Moved      []string          `avro:"moved"`   // stages that deals were moved to by it
}

type position struct {
	Epoch  int64  `avro:"epoch"`
	Cursor string `avro:"cursor"`
	Seen   []byte `avro:"seen"` // the last cursors, four bytes of a hash each
}

type heldRecord struct {
	Topic     string                 `avro:"topic"`
	Partition int32                  `avro:"partition"`
	Offset    int64                  `avro:"offset"`
	Timestamp int64                  `avro:"timestamp"`
	Key       []byte                 `avro:"key"`
	Value     []byte                 `avro:"value"`
	At        int64                  `avro:"at"`
	Call      *schemas.CallEvent     `avro:"call"`
	Contact   *schemas.ContactChange `avro:"contact"`
	Event     *schemas.DialerEvent   `avro:"event"`
	Change    *schemas.CRMChange     `avro:"change"`
	Result    *schemas.AttemptResult `avro:"result"`
	Action    *schemas.ControlAction `avro:"action"`
	// OriginalTopic is, of an action with an original, the topic of it; the original's
	// value is then one of the above.
	OriginalTopic string `avro:"original_topic"`
}

type heldTotal struct {
	Records int64 `avro:"records"`
	Bytes   int64 `avro:"bytes"`
}

var (
	configs    = value.New[settings]("tenant configuration")
	persons    = value.New[person]("person") // of which personcodec.go is a fast form
	calls      = value.New[call]("call")
	streams    = value.New[position]("stream position")
	heldRecs   = value.New[heldRecord]("held record")
	heldTotals = value.New[heldTotal]("held total")
)

// world is one tenant in one transaction.
type world struct {
	s       *Sync
	tx      *pipeline.Tx
	t       state.Tenant
	cfg     *schemas.TenantConfig
	orgs    []org
	salt    []byte // of settings, as numbers is
	numbers bool
	want    pipeline.Intents
	ref     string         // the input under work
	live    bool           // it was pushed by a CRM: it comes once, and in order
	settles bool           // nothing that is wanted now reaches deliver
	facts   []mapping.Fact // those of the settings
	// lines is the tenant's mapping in force, env what its transforms know.
	lines *mapping.Compiled
	env   *mapping.Env
	// scripts runs the tenant's scripts; nil if it has none.
	scripts *scripts
	// heard is what a CRM has just said of the description of an activity; nil if none did.
	heard *heard
}

func get[T any](w *world, c *value.Codec[T], k state.Kind, id string) (*T, bool, error) {
	return load(w.tx, c, w.t.Key(k, id))
}

func load[T any](tx *pipeline.Tx, c *value.Codec[T], k state.Key) (*T, bool, error) {
	raw, ok, err := tx.Store.Get(k)
	if err != nil || !ok {
		return nil, false, err
	}
	v := new(T)
	if err := c.Unmarshal(raw, v); err != nil {
		return nil, false, fmt.Errorf("%w: %w", pipeline.ErrCorrupt, err)
	}
	return v, true, nil
}

func put[T any](w *world, c *value.Codec[T], k state.Kind, id string, v *T) {
	w.tx.Store.Put(w.t.Key(k, id), c.Marshal(v))
}

// text reads an entry that is a version byte and a text.
func (w *world) text(k state.Kind, id string) (string, bool, error) {
	raw, ok, err := w.tx.Store.Get(w.t.Key(k, id))
	if err != nil || !ok || len(raw) == 0 {
		return "", false, err
	}
	return string(raw[1:]), true, nil
}

func (w *world) setText(k state.Kind, id, v string) {
	w.tx.Store.Put(w.t.Key(k, id), append([]byte{1}, v...))
}

// mark sets an index entry; has reports whether it was there.
func (w *world) mark(k state.Kind, id string) (had bool, err error) {
	key := w.t.Key(k, id)
	if _, had, err = w.tx.Store.Get(key); err == nil && !had {
		w.tx.Store.Put(key, []byte{1})
	}
	return had, err
}

// members lists at most limit ids that an index holds for a value.
func (w *world) members(k state.Kind, v string, limit int) ([]string, error) {
	prefix := w.t.Prefix(k, v+"\x00")
	var ids []string
	err := w.tx.Store.Scan(prefix, state.Key{}, func(key state.Key, _ []byte) (bool, error) {
		ids = append(ids, key.ID()[len(v)+1:])
		return len(ids) < limit, nil
	})
	return ids, err
}

// scope names a CRM in keys: ids of an account that was replaced mean nothing in the
// new one.
func (w *world) scope(provider string) string {
	if g := w.generation(provider); g > 0 {
		return provider + "~" + strconv.FormatInt(g, 10)
	}
	return provider
}

func (w *world) generation(provider string) int64 {
	if o := w.org(provider); o != nil {
		return o.Generation
	}
	return 0
}

// org is the account of a CRM that the tenant has, or had last; nil if it never had
// one.
func (w *world) org(provider string) *org {
	for i := range w.orgs {
		if w.orgs[i].Provider == provider {
			return &w.orgs[i]
		}
	}
	return nil
}

func (w *world) linkID(provider, object, id string) string {
	return w.scope(provider) + "\x00" + object + "\x00" + id
}

func (w *world) profile(provider string) (*profile.Profile, bool) {
	p, ok := w.s.profiles[provider]
	return p, ok
}

func (w *world) timer(due int64, kind byte, id string) {
	w.tx.Schedule(pipeline.Timer{Due: due, Tenant: w.t.Name(), Kind: kind, ID: id})
}

// Kinds of state entries and timers of what is logged in a CRM.
const (
	kindActivity    state.Kind = 'V' // provider NUL object NUL id → key of what stands there
	kindDisposition state.Kind = 'G' // provider NUL label by its letters → id; "" = the CRM has it no more
	kindTodo        state.Kind = 'j' // id on sync.conflicts: it is listed
	kindSince       state.Kind = 'K' // provider → ms since when it is connected
	kindMember      state.Kind = 'm' // person NUL call → member
	kindTotal       state.Kind = 'y' // person → total
	kindLead        state.Kind = 'N' // provider NUL number → madeLead
	kindHappening   state.Kind = 'E' // id → happening
	kindAwaited     state.Kind = 'k' // call id: events wait for its person
	kindMove        state.Kind = 'Z' // provider NUL object NUL id of a deal → dealMove

	timerTotals  byte = 'C' // person: its counters are to be written
	timerLead    byte = 'M' // provider NUL number: the create of its lead has ended
	timerUnheard byte = 'B' // provider NUL key: the CRM did not say what stands in a description

	totalsEvery = 5 * 1000      // ms between two writes of a person's counters
	hearWithin  = 5 * 60 * 1000 // ms: then a description is written whole
	leadRetry   = 60 * 1000     // ms between looks at whether the CRM was read
)

// member is one call in the counters of a person.
type member struct {
	Start int64    `avro:"start"` // ms
	Score *float64 `avro:"score"`
}

// total is what a person's calls add up to. Nothing in it grows with their number.
type total struct {
	Count    int64    `avro:"count"`
	Last     int64    `avro:"last"`      // ms, start of the last call
	Score    *float64 `avro:"score"`     // of the last call that has one
	ScoreAt  int64    `avro:"score_at"`  // ms, its start
	ScoredBy string   `avro:"scored_by"` // its id
	Base     int64    `avro:"base"`      // what the CRM had counted before the first of them
	BaseLast int64    `avro:"base_last"` // ms
}

// madeLead is the one lead that was made for a number.
type madeLead struct {
	Number   string `avro:"number"`
	Provider string `avro:"provider"`
	Account  string `avro:"account"`
	Object   string `avro:"object"`
	ID       string `avro:"id"`
	Status   string `avro:"status"`
	Reason   string `avro:"reason"`
	Revision int64  `avro:"revision"`
	Person   string `avro:"person"` // whom the dialer knows with the number; "" = nobody
}

// happening is an event of the dialer that has a record of its own in a CRM.
type happening struct {
	ID         string          `avro:"id"` // type and id of the dialer
	Type       string          `avro:"type"`
	At         int64           `avro:"at"`     // ms, when the last word came
	Fields     []schemas.Field `avro:"fields"` // all that was said, by name
	CallID     *string         `avro:"call_id"`
	ContactID  *string         `avro:"contact_id"`
	Person     string          `avro:"person"`
	Activities []activity      `avro:"activities"`
	Status     string          `avro:"status"`
	Reason     string          `avro:"reason"`
	HeldOn     []string        `avro:"held_on"`
	GiveUpAt   int64           `avro:"give_up_at"`
	Ref        string          `avro:"ref"`
	Began      int64           `avro:"began"` // ms, when the first word came
}

// dealMove is a stage that a deal is to move to, once it is known where it stands.
type dealMove struct {
	To   string   `avro:"to"`
	From []string `avro:"from"`
	At   int64    `avro:"at"`
}

var (
	members    = value.New[member]("call in counters")
	totals     = value.New[total]("counters")
	madeLeads  = value.New[madeLead]("made lead")
	happenings = value.New[happening]("event")
	dealMoves  = value.New[dealMove]("stage of a deal")
)

// Kinds of state entries of who is who.
const (
	kindName   state.Kind = 'f' // company and initial NUL person
	kindApart  state.Kind = 'x' // record NUL person: somebody said that they are not the same
	kindUnited state.Kind = 'b' // id of a person that became part of another → that one's id
	kindAsked  state.Kind = 'i' // id on sync.conflicts: it is asked whether two are the same → asked

	timerNames  byte = 'N' // person id, or "" for the first: those after it are not found by name yet
	timerAgain  byte = 'P' // person: an older write stands over what is in force
	timerUnited byte = 'Y' // person: its calls are another's now
)

// asked is a question whether a record is of somebody who is known.
type asked struct {
	Record   string       `avro:"record"` // as in kindApart
	Link     schemas.Link `avro:"link"`
	Person   string       `avro:"person"` // whose it is now
	Like     string       `avro:"like"`   // whom it is like
	Reason   string       `avro:"reason"`
	Was      string       `avro:"was"`   // what the record looked like
	Known    string       `avro:"known"` // what the person looked like
	OpenedAt int64        `avro:"opened_at"`
	At       int64        `avro:"at"`
	Ref      string       `avro:"ref"`
}

var askeds = value.New[asked]("question who is who")
