package pipeline

import "github.com/crmstream/crmstream/schemas"

// Write is what sync wants to be true in a CRM. deliver decides when it goes out,
// with what, and how often it is tried. A later Write with the same Key coalesces
// with a waiting one, field by field (P6).
type Write struct {
	Provider string
	Account  string // id of the CRM account that it is meant for; it goes to no other
	Object   string
	Key      string // our name of the record: "call:call-7", "record:Lead:00Q1"; unique per provider
	// ID is the CRM's id; "" where the record is to be made, by Identity.
	ID            string
	IdentityField string
	Identity      string
	Fields        []schemas.Field // sorted by name
	Associations  []schemas.Link
	Priority      Priority
	Revision      int64 // rises with each Write of a Key
	// Drops says that fields which the CRM refuses by name are left out and the rest is
	// written, but for those in Needs (B27).
	Drops bool
	Needs []string
}

// Read asks for the present state of a record. Several of one record coalesce.
type Read struct {
	Provider string
	Account  string // id of the CRM account
	Object   string
	ID       string
	// Phone, in E.164, asks for every person with this number instead; Object and ID are
	// empty, and National is the number as it is dialled within its country.
	Phone, National string
	// Urgent reads go out with calls: something waits for what they bring.
	Urgent bool
}

// Priority orders what waits for one account's budget: lower first.
type Priority byte

// Priorities.
const (
	PriorityDoNotCall Priority = iota
	PriorityCall
	PriorityField
	PriorityRead
	PriorityPage
	PriorityAgain
)

// Intents is what one record made sync want, in order.
type Intents struct {
	Writes []Write
	Reads  []Read
	// Forget names Keys whose waiting writes are void.
	Forget []Ref
	// Void names fields that are written no more; the rest of what waits goes on.
	Void []Void
	// Restart names providers whose page sources begin anew: the stream lost its
	// position.
	Restart []string
	// Again names sources that are read from their beginning once more, beside the pages
	// that they are read by anyway, and behind all else.
	Again []Source
	// Drifts say of how many mapped fields a CRM says something else than before.
	Drifts []Drift
	// Accounts is set where the tenant's accounts changed: the new configuration.
	Accounts *schemas.TenantConfig
}

// Source names a source of a CRM's profile.
type Source struct{ Provider, Name string }

// Drift is how many mapped fields of a CRM are not as it describes them.
type Drift struct {
	Provider string
	Open     int32
}

// Ref names one record of the outbox.
type Ref struct{ Provider, Key string }

// Void names fields of one record of the outbox, by the CRM's names.
type Void struct {
	Ref
	Fields []string
}

// Settlement is what deliver tells sync of a write that came to an end.
type Settlement struct {
	Ref
	// Status is one of schemas.StatusSynced, StatusError, StatusCRMDeleted.
	Status  string
	ID      string // the CRM's id; "" where unknown
	URL     string
	Reason  string // of a dead letter; "" else
	Code    string // the CRM's own, of a dead letter
	Message string
	// Account is the CRM account that it was decided for.
	Account string
	// Revision of the Write that it settles.
	Revision int64
	// Taken is the id of another record that has a value which must be unique, where that is
	// why the CRM refused the write.
	Taken string
	// Dropped says that the CRM refused Fields, for Message, and that the rest goes on
	// without them: it is not the end of the write.
	Dropped bool
	// Object and Fields are what was written; of a read that found nothing, Object and
	// ID alone.
	Object string
	Fields []schemas.Field
	// Named are the fields that the CRM found fault with, by name, of a dead letter.
	Named []string
}
