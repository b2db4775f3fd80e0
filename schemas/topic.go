package schemas

import "time"

// RecordLimit is the largest key plus value, in bytes, that is taken from an
// input, written to an output or kept as a state value.
const RecordLimit = 900 << 10

// Names of topics.
const (
	TopicDialerCalls    = "dialer.calls"
	TopicDialerContacts = "dialer.contacts"
	TopicDialerEvents   = "dialer.events"
	TopicCRMChanges     = "crm.changes"
	TopicCRMResults     = "crm.results"
	TopicControlTenants = "control.tenants"
	TopicControlActions = "control.actions"
	TopicEntry          = "crmstream.entry"
	TopicChangelog      = "crmstream.changelog"
	TopicJournal        = "crmstream.journal"
	TopicBoot           = "crmstream.boot"

	TopicSyncContacts      = "sync.contacts"
	TopicSyncAccounts      = "sync.accounts"
	TopicSyncOpportunities = "sync.opportunities"
	TopicSyncCalls         = "sync.calls"
	TopicSyncRecords       = "sync.records"
	TopicSyncConflicts     = "sync.conflicts"
	TopicSyncHealth        = "sync.health"
	TopicSyncChanges       = "sync.changes"
	TopicCRMCommands       = "crm.commands"
	TopicDeadLetters       = "dlq"
)

// Role says what a topic is to the task.
type Role string

// Roles.
const (
	RoleInput    Role = "input"    // consumed by the task
	RoleOutput   Role = "output"   // produced by the task, for others
	RoleInternal Role = "internal" // of the shell alone
)

// Topic is one entry of the catalogue: everything that is needed to create a
// topic, to check it and to explain it.
type Topic struct {
	Name string
	Role Role
	// Order is the place in which a transaction applies an input topic, from 0.
	Order int
	// Record is the Avro record of the value, "" for raw bytes.
	Record string
	// Key says what the key is; Keys are raw UTF-8, never Avro.
	Key string
	// Single topics have one partition; all others have the same number N and are
	// partitioned by tenant.
	Single bool
	// Compact topics keep the newest record per key; the others delete by age.
	Compact bool
	// Retention is how long records (of a compacted topic: tombstones) are kept;
	// negative = for ever.
	Retention time.Duration
	Writers   string
	Readers   string
	Doc       string
}

const day = 24 * time.Hour

var catalogue = []Topic{
	{Name: TopicControlTenants, Role: RoleInput, Order: 0, Record: "TenantConfig", Key: "tenant", Retention: -1,
		Writers: "crmstream tenants", Readers: "task, webhook intake", Doc: "Every version of every tenant's configuration. Kept for ever: a replay needs its history."},
	{Name: TopicControlActions, Role: RoleInput, Order: 1, Record: "ControlAction", Key: "tenant/action", Retention: 90 * day,
		Writers: "operators, the shell", Readers: "task", Doc: "Deliberate acts: release what is held, redrive a dead letter, pause, quarantine."},
	{Name: TopicCRMResults, Role: RoleInput, Order: 2, Record: "AttemptResult", Key: "tenant/attempt", Retention: 7 * day,
		Writers: "host", Readers: "task", Doc: "The answer of every request to a CRM, one record per attempt."},
	{Name: TopicCRMChanges, Role: RoleInput, Order: 3, Record: "CRMChange", Key: "tenant/provider/object/id; markers tenant/provider/~cursor", Retention: 7 * day,
		Writers: "host, webhook intake", Readers: "task", Doc: "What was seen in a CRM: records read, pushed events, hints, page markers, reference data."},
	{Name: TopicEntry, Role: RoleInput, Order: 4, Key: "as the original", Retention: 7 * day,
		Writers: "task", Readers: "task", Doc: "Dialer records that arrived in a foreign partition, forwarded byte for byte to the right one; their origin is in the headers."},
	{Name: TopicDialerContacts, Role: RoleInput, Order: 5, Record: "ContactChange", Key: "tenant", Retention: 7 * day,
		Writers: "dialer", Readers: "task", Doc: "Changes of contacts in the dialer."},
	{Name: TopicDialerEvents, Role: RoleInput, Order: 6, Record: "DialerEvent", Key: "tenant", Retention: 7 * day,
		Writers: "dialer", Readers: "task", Doc: "What a dialer says beside calls and contacts."},
	{Name: TopicDialerCalls, Role: RoleInput, Order: 7, Record: "CallEvent", Key: "tenant", Retention: 7 * day,
		Writers: "dialer", Readers: "task", Doc: "Every revision of every call."},

	{Name: TopicSyncContacts, Role: RoleOutput, Record: "SyncContact", Key: "tenant/person", Compact: true, Retention: 7 * day,
		Writers: "task", Readers: "dialer, data teams", Doc: "Every person as known now. A tombstone: the person was merged into another or erased."},
	{Name: TopicSyncAccounts, Role: RoleOutput, Record: "SyncAccount", Key: "tenant/provider/id", Compact: true, Retention: 7 * day,
		Writers: "task", Readers: "data teams", Doc: "Every company of every CRM."},
	{Name: TopicSyncOpportunities, Role: RoleOutput, Record: "SyncOpportunity", Key: "tenant/provider/id", Compact: true, Retention: 7 * day,
		Writers: "task", Readers: "data teams", Doc: "Every deal of every CRM."},
	{Name: TopicSyncCalls, Role: RoleOutput, Record: "SyncCall", Key: "tenant/call", Compact: true, Retention: 7 * day,
		Writers: "task", Readers: "dialer, data teams", Doc: "Where each call was logged, with the address of the CRM record, or why it was not."},
	{Name: TopicSyncRecords, Role: RoleOutput, Record: "SyncRecord", Key: "tenant/provider/object/id, or tenant/provider/object/local:table:id while the CRM has no id", Compact: true, Retention: 7 * day,
		Writers: "task", Readers: "operators, data teams", Doc: "The state of every record between us and a CRM. A tombstone: the record is known under another key now."},
	{Name: TopicSyncConflicts, Role: RoleOutput, Record: "SyncConflict", Key: "tenant/conflict", Compact: true, Retention: 7 * day,
		Writers: "task", Readers: "tenant admins", Doc: "Fields that wait for a person's decision."},
	{Name: TopicSyncHealth, Role: RoleOutput, Record: "SyncHealth", Key: "tenant/provider", Compact: true, Retention: 7 * day,
		Writers: "task", Readers: "operators", Doc: "How each tenant's sync with each CRM does."},
	{Name: TopicSyncChanges, Role: RoleOutput, Record: "FieldChange", Key: "tenant/person", Retention: 90 * day,
		Writers: "task", Readers: "data teams", Doc: "Every change of every field: old value, new value, cause."},
	{Name: TopicCRMCommands, Role: RoleOutput, Record: "Attempt", Key: "tenant/attempt", Retention: 7 * day,
		Writers: "task", Readers: "auditors", Doc: "What was asked of the CRMs. Nobody of ours reads it back."},
	{Name: TopicDeadLetters, Role: RoleOutput, Record: "DeadLetter", Key: "tenant/record", Retention: 30 * day,
		Writers: "task", Readers: "analysts, operators", Doc: "Inputs and writes that were given up, with reason, original bytes and place."},

	{Name: TopicChangelog, Role: RoleInternal, Key: "state key", Compact: true, Retention: 7 * day,
		Writers: "shell", Readers: "shell", Doc: "State, outbox and input positions of each partition; the store on disk is a cache of it."},
	{Name: TopicJournal, Role: RoleInternal, Record: "JournalEntry", Key: "partition", Retention: 7 * day,
		Writers: "shell", Readers: "replay", Doc: "What each transaction was made of, so that it can be run again."},
	{Name: TopicBoot, Role: RoleInternal, Key: "boot", Single: true, Compact: true, Retention: -1,
		Writers: "embedded broker", Readers: "shell", Doc: "Each start of the embedded broker, and whether it was closed cleanly before."},
}

// Topics returns the catalogue: inputs in the order in which a transaction applies
// them, then outputs, then internal topics. The caller owns the slice.
func Topics() []Topic { return append([]Topic(nil), catalogue...) }

// TopicByName returns one entry of the catalogue.
func TopicByName(name string) (Topic, bool) {
	for _, t := range catalogue {
		if t.Name == name {
			return t, true
		}
	}
	return Topic{}, false
}

// Inputs returns the input topics in the order in which a transaction applies them.
func Inputs() []Topic {
	var in []Topic
	for _, t := range catalogue {
		if t.Role == RoleInput {
			in = append(in, t)
		}
	}
	return in
}
