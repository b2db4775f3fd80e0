package schemas

// TenantConfig is a value of control.tenants: the whole configuration of one
// tenant in one version. Removed ends the tenant.
type TenantConfig struct {
	Tenant   string    `avro:"tenant"`    // the tenant, as in the key
	Version  int64     `avro:"version"`   // rises with every apply; the highest wins
	Removed  bool      `avro:"removed"`   // the tenant is gone
	TimeZone string    `avro:"time_zone"` // IANA name
	Country  string    `avro:"country"`   // ISO 3166 alpha-2, for phone numbers without a country code
	Accounts []Account `avro:"accounts"`  // the CRM accounts of the tenant
	// MinCallSeconds is the shortest call that is logged; 0 logs all.
	MinCallSeconds int32 `avro:"min_call_seconds"`
	// DefaultOwnerEmail owns the calls of an agent that the CRM does not know; "" leaves the CRM's default.
	DefaultOwnerEmail string `avro:"default_owner_email"`
	AppliedAt         int64  `avro:"applied_at"` // ms
	Document          string `avro:"document"`   // the configuration as its author wrote it
}

// Account is one CRM account of a tenant.
type Account struct {
	Provider string  `avro:"provider"`  // name of the CRM: "salesforce", "hubspot"
	ID       string  `avro:"id"`        // org id or portal id; another one parks the tenant (B11)
	Server   string  `avro:"server"`    // name of a base URL in the process's configuration; "" = the provider's default
	AuthFlow string  `avro:"auth_flow"` // "jwt" or "token"
	Auth     []Field `avro:"auth"`      // settings of the flow; secrets by reference (env:NAME, file:PATH) only (P10)
	Settings []Field `avro:"settings"`  // further settings of the provider
}

// Kinds of action.
const (
	// ActionReleaseHeld decides anew about a call that is held (field "call"), or about
	// all that wait for a number ("number"); "do" is "release", where nothing is said,
	// or "drop": it is not to be logged. "link" names the CRM record that the call is
	// about, as provider/object/id; "why" is kept with a call that is dropped.
	ActionReleaseHeld = "release_held"
	// ActionRedrive applies the original of a dead letter again: DeadLetter is set, or
	// the field "key" is the record_key of one.
	ActionRedrive = "redrive"
)

// ControlAction is a value of control.actions: one deliberate act on a tenant. It is
// done once for each ActionID.
type ControlAction struct {
	ActionID string  `avro:"action_id"` // id of the action, unique in the tenant
	Kind     string  `avro:"kind"`      // "release_held" or "redrive"
	At       int64   `avro:"at"`        // ms
	By       string  `avro:"by"`        // who acted
	Fields   []Field `avro:"fields"`    // named values, only what changed

	DeadLetter *DeadLetter `avro:"dead_letter"` // of a redrive: what is applied again
}
