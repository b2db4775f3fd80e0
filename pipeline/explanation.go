package pipeline

import "github.com/crmstream/crmstream/schemas"

// Explanation says why a tenant's person or call is as it is: where each value came
// from, where it went, and what waits for what. It is a view for people; nothing is
// decided by it. Instants are ms since 1970 UTC, 0 = never.
type Explanation struct {
	Tenant string `json:"tenant"`
	// ConfigVersion of the tenant; 0 = it is not configured, and what comes for it waits.
	ConfigVersion int64 `json:"config_version"`
	// Persons that were asked for: several have one number or e-mail address.
	Persons []ExplainedPerson `json:"persons,omitempty"`
	// Calls that were asked for, or wait for what was asked for.
	Calls []ExplainedCall `json:"calls,omitempty"`
}

// ExplainedPerson is one person.
type ExplainedPerson struct {
	ID          string `json:"id"`
	Status      string `json:"status"`
	ContactID   string `json:"contact_id,omitempty"`
	DoNotCall   bool   `json:"do_not_call"`
	DoNotCallAt int64  `json:"do_not_call_at,omitempty"`
	// DoNotCallFrom and DoNotCallRef are who said or took back do-not-call, "dialer" or a
	// CRM, and the input, topic-partition@offset.
	DoNotCallFrom string `json:"do_not_call_from,omitempty"`
	DoNotCallRef  string `json:"do_not_call_ref,omitempty"`
	// Numbers of the person of which something was said, whoever has them.
	Numbers []ExplainedNumber `json:"numbers,omitempty"`
	Fields  []ExplainedField  `json:"fields"`
	Records []ExplainedRecord `json:"records"`
}

// ExplainedNumber is the last explicit word about a number.
type ExplainedNumber struct {
	Number    string `json:"number"`
	DoNotCall bool   `json:"do_not_call"`
	At        int64  `json:"at"`
	From      string `json:"from"`
	Ref       string `json:"ref"` // topic-partition@offset
	Why       string `json:"why,omitempty"`
}

// ExplainedField is one value of a person: by whom, when, by which input, and where it
// is written.
type ExplainedField struct {
	Name  string       `json:"name"`
	Value *string      `json:"value"`
	From  string       `json:"from"` // "dialer" or a CRM
	At    int64        `json:"at"`
	Ref   string       `json:"ref"` // topic-partition@offset
	Went  []FieldPlace `json:"went"`
	// Open is the conflict about it that waits for somebody's decision; nil = there is none.
	Open *OpenConflict `json:"open,omitempty"`
}

// OpenConflict is a field of which a CRM wants another value.
type OpenConflict struct {
	ID    string       `json:"id"` // on sync.conflicts
	Since int64        `json:"since"`
	Value *string      `json:"value"` // what the CRM wants, in the dialer's form
	Of    schemas.Link `json:"of"`
}

// States of a field in a CRM record.
const (
	FieldInStep     = "in step"                    // the CRM holds it
	FieldOnWay      = "on its way"                 // a write is queued or sent
	FieldRefused    = "refused"                    // the CRM did not take it: not sent again until it changes
	FieldInbound    = "read only"                  // the mapping only reads it
	FieldDiffers    = "not written"                // the CRM holds another value, and nothing is on its way
	FieldOutOfScope = "not written (out of scope)" // the record is not in the tenant's scope
	FieldDeleted    = "not written (deleted there)"
)

// FieldPlace is one field of one CRM record.
type FieldPlace struct {
	Record schemas.Link `json:"record"`
	Field  string       `json:"field"`
	State  string       `json:"state"`
	Holds  *string      `json:"holds"` // as the CRM spells it
	Why    string       `json:"why,omitempty"`
}

// ExplainedRecord is one CRM record of a person.
type ExplainedRecord struct {
	Record  schemas.Link `json:"record"`
	Account string       `json:"account,omitempty"` // id of the person's company there
	Deleted bool         `json:"deleted,omitempty"`
	// OutOfScope says that it does not satisfy the tenant's scope: nothing is written to it.
	OutOfScope bool     `json:"out_of_scope,omitempty"`
	Waiting    *Waiting `json:"waiting,omitempty"`
	Key        string   `json:"-"` // of its writes in the outbox
}

// ExplainedCall is one call.
type ExplainedCall struct {
	ID         string              `json:"id"`
	Revision   int64               `json:"revision"`
	Status     string              `json:"status"`
	Reason     string              `json:"reason,omitempty"`
	Person     string              `json:"person,omitempty"`
	Ambiguous  bool                `json:"ambiguous,omitempty"`
	Candidates []schemas.Link      `json:"candidates,omitempty"`
	WaitsFor   []string            `json:"waits_for,omitempty"`
	GiveUpAt   int64               `json:"give_up_at,omitempty"`
	StartedAt  int64               `json:"started_at"`
	Ref        string              `json:"ref"`
	Activities []ExplainedActivity `json:"activities"`
}

// ExplainedActivity is what one CRM has of a call.
type ExplainedActivity struct {
	Record  schemas.Link `json:"record"` // without an id: the CRM has not given one
	URL     string       `json:"url,omitempty"`
	Status  string       `json:"status"`
	Reason  string       `json:"reason,omitempty"`
	At      int64        `json:"at,omitempty"`
	On      schemas.Link `json:"on"` // the person's record
	Waiting *Waiting     `json:"waiting,omitempty"`
	Key     string       `json:"-"` // of its writes in the outbox
}

// Waiting is what the outbox has of one record.
type Waiting struct {
	Attempt string   `json:"attempt,omitempty"` // open
	Fields  []string `json:"fields,omitempty"`  // that wait or are on their way
	Tries   int32    `json:"tries,omitempty"`
	FreeAt  int64    `json:"free_at,omitempty"` // before that no other content leaves
	// Account says what holds up the whole account; "" = nothing does.
	Account string `json:"account,omitempty"`
}
