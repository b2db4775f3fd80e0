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
	// Key says what the key is; keys are raw UTF-8, never Avro, but for the changelog's.
	Key string
	// Example is a key as it may stand in the topic.
	Example string
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
	// Doc says in a sentence or two what the topic holds, Notes what its writers and
	// readers must know beside that.
	Doc   string
	Notes string
}

const day = 24 * time.Hour

var catalogue = []Topic{
	{
		Name: TopicControlTenants, Role: RoleInput, Order: 0, Record: "TenantConfig", Key: "tenant", Example: "acme", Retention: -1,
		Writers: "crmstream tenants apply, crmstream tenants remove", Readers: "task, webhook intake, crmstream tenants",
		Doc: "Every version of every tenant's configuration. Kept for ever: a replay needs its history.",
		Notes: "The highest version of a tenant counts. Never compacted. Secrets stand in it by reference only. A record in a partition that is " +
			"not its tenant's is dead-lettered, not forwarded.",
	},
	{
		Name: TopicControlActions, Role: RoleInput, Order: 1, Record: "ControlAction", Key: "tenant/action", Example: "acme/act-2026-03-01-1", Retention: 90 * day,
		Writers: "operators, by any Kafka producer", Readers: "task",
		Doc: "Deliberate acts: release or drop a call that is held, redrive a dead letter, decide a conflict, erase a person.",
		Notes: "Each action id is done once; one that has no effect is dead-lettered with the reason, and its id is free again. The partition is that " +
			"of the tenant alone: a producer that hashes the whole key must choose it itself, or use the tenant as the key. A record in another partition is dead-lettered.",
	},
	{
		Name: TopicCRMResults, Role: RoleInput, Order: 2, Record: "AttemptResult", Key: "tenant/attempt", Example: "acme/3-1042", Retention: 7 * day,
		Writers: "host (the part that talks to the CRMs)", Readers: "task",
		Doc: "The answer of every request to a CRM, one record per attempt.",
		Notes: "An attempt without an answer has no record: it expires. A result that comes late, or twice, still teaches the ids that the CRM gave, and " +
			"moves nothing else.",
	},
	{
		Name: TopicCRMChanges, Role: RoleInput, Order: 3, Record: "CRMChange", Key: "tenant/provider/object/id; markers tenant/provider/~cursor",
		Example: "acme/salesforce/Lead/00Q5g000007abcdEAA", Retention: 7 * day,
		Writers: "host, webhook intake", Readers: "task",
		Doc: "What was seen in a CRM: records read, pushed events, hints, page markers, reference data.",
		Notes: "A page's marker comes after all of its records. A record may be there more than once; the later modification wins. An event without " +
			"a record has ~cursor in place of the id.",
	},
	{
		Name: TopicEntry, Role: RoleInput, Order: 4, Key: "as the original", Example: "acme", Retention: 7 * day,
		Writers: "task", Readers: "task",
		Doc: "Dialer records that arrived in a foreign partition, forwarded byte for byte to the right one; their origin is in the headers.",
		Notes: "The header crmstream.origin says where a record stood first, as topic/partition/offset. The order of one source partition is kept. A record that " +
			"would be forwarded twice is dead-lettered.",
	},
	{
		Name: TopicDialerContacts, Role: RoleInput, Order: 5, Record: "ContactChange", Key: "tenant", Example: "acme", Retention: 7 * day,
		Writers: "dialer", Readers: "task", Doc: "Changes of contacts in the dialer.",
		Notes: "Only what changed. Of two values of one field the later modified_at wins, whatever the order in which they come. A record in a foreign partition is forwarded.",
	},
	{
		Name: TopicDialerEvents, Role: RoleInput, Order: 6, Record: "DialerEvent", Key: "tenant", Example: "acme", Retention: 7 * day,
		Writers: "dialer", Readers: "task", Doc: "What a dialer says beside calls and contacts: do-not-call set or cleared, late edits of a call, meetings, voicemail drops.",
		Notes: "A record in a foreign partition is forwarded.",
	},
	{
		Name: TopicDialerCalls, Role: RoleInput, Order: 7, Record: "CallEvent", Key: "tenant", Example: "acme", Retention: 7 * day,
		Writers: "dialer", Readers: "task", Doc: "Every revision of every call.",
		Notes: "Send a record as often as you like: call id and revision make it one, for thirteen months. A record in a foreign partition is forwarded.",
	},

	{
		Name: TopicSyncContacts, Role: RoleOutput, Record: "SyncContact", Key: "tenant/person", Example: "acme/p17", Compact: true, Retention: 7 * day,
		Writers: "task", Readers: "dialer, data teams", Doc: "Every person as known now.",
		Notes: "Read it as a table: the newest record of a key is the person. A tombstone: the person was erased for privacy. Forget him, and what is derived from the record.",
	},
	{
		Name: TopicSyncAccounts, Role: RoleOutput, Record: "SyncAccount", Key: "tenant/provider/id", Example: "acme/salesforce/0015g000007abcdAAA", Compact: true, Retention: 7 * day,
		Writers: "task", Readers: "dialer, data teams", Doc: "Every company of every CRM as known now: Accounts of Salesforce, companies of HubSpot.",
		Notes: "Read it as a table. A tombstone: the record was deleted in the CRM or merged into another one, it was in an account of the CRM that another has replaced, or the tenant syncs no records of its kind any more. Published only when something in it has changed.",
	},
	{
		Name: TopicSyncOpportunities, Role: RoleOutput, Record: "SyncOpportunity", Key: "tenant/provider/id", Example: "acme/salesforce/0065g000007abcdAAA", Compact: true, Retention: 7 * day,
		Writers: "task", Readers: "dialer, data teams", Doc: "Every deal of every CRM as known now: Opportunities of Salesforce, deals of HubSpot.",
		Notes: "Read it as a table. A tombstone: as on sync.accounts. company is the key of its company there, without the kind of record.",
	},
	{
		Name: TopicSyncCalls, Role: RoleOutput, Record: "SyncCall", Key: "tenant/call", Example: "acme/call-7", Compact: true, Retention: 7 * day,
		Writers: "task", Readers: "dialer, data teams", Doc: "Where each call was logged, with the address of the CRM record, or why it was not.",
		Notes: "Read it as a table: the newest record of a key is the call. A tombstone: its person was erased for privacy.",
	},
	{
		Name: TopicSyncRecords, Role: RoleOutput, Record: "SyncRecord", Key: "tenant/provider/object/id, or tenant/provider/object/local:table:id while the CRM has no id",
		Example: "acme/salesforce/Task/00T5g000007abcdEAA", Compact: true, Retention: 7 * day,
		Writers: "task", Readers: "operators, data teams",
		Doc:   "The state of every record between us and a CRM: of the activities of calls, of what other events of the dialer became, and of persons, each time that one stands otherwise. A tombstone: the record is known under another key now, or its person was erased for privacy.",
		Notes: "While the CRM has given no id: acme/salesforce/Task/local:call_activities:call-7.",
	},
	{
		Name: TopicSyncConflicts, Role: RoleOutput, Record: "SyncConflict", Key: "tenant/conflict", Example: "acme/value:p17:title", Compact: true, Retention: 7 * day,
		Writers: "task", Readers: "tenant admins",
		Doc:   "What waits for a person's decision: values of one field, records that may be of one person, and words of the dialer that a CRM has nothing for.",
		Notes: "Decided with crmstream conflicts resolve, or an action on control.actions. A word is listed once, and resolved when a call with it finds what it needs. A tombstone: the person was erased for privacy.",
	},
	{
		Name: TopicSyncHealth, Role: RoleOutput, Record: "SyncHealth", Key: "tenant/provider", Example: "acme/salesforce", Compact: true, Retention: 7 * day,
		Writers: "task", Readers: "operators", Doc: "How each tenant's sync with each CRM does.",
		Notes: "Written when the state changes, and for new figures at most every five minutes.",
	},
	{
		Name: TopicSyncChanges, Role: RoleOutput, Record: "FieldChange", Key: "tenant/person", Example: "acme/p17", Retention: 90 * day,
		Writers: "task", Readers: "data teams", Doc: "Every change of every field of a person: old value, new value, cause.",
		Notes: "After a crash of the embedded broker a record may be there twice: drop one whose header crmstream.source (input topic-partition@offset#index) you have seen.",
	},
	{
		Name: TopicCRMCommands, Role: RoleOutput, Record: "Attempt", Key: "tenant/attempt", Example: "acme/3-1042", Retention: 7 * day,
		Writers: "task", Readers: "auditors", Doc: "What was asked of the CRMs. Nobody of ours reads it back.",
		Notes: "Each attempt is one HTTP request that was decided; whether it was sent, and what came of it, is on crm.results. Repeats: as on sync.changes.",
	},
	{
		Name: TopicDeadLetters, Role: RoleOutput, Record: "DeadLetter", Key: "tenant/record; of an input tenant/topic-partition@offset", Example: "acme/dialer.calls-3@1207", Retention: 30 * day,
		Writers: "task", Readers: "analysts, operators", Doc: "Inputs and writes that were given up, with reason, original bytes and place.",
		Notes: "A write's key: acme/salesforce/call:call-7. A timer's key may hold a phone number. To try one again, send it on control.actions as a redrive. Repeats: as on sync.changes.",
	},

	{
		Name: TopicChangelog, Role: RoleInternal, Key: "state key, in bytes", Example: "01 00 03 04 61 63 6d 65 70 70 31 37 (version 1, partition 3, acme, person p17)", Compact: true, Retention: 7 * day,
		Writers: "shell (the part that runs transactions)", Readers: "shell",
		Doc:   "State, outbox and input positions of each partition; the store on disk is a cache of it.",
		Notes: "It holds what the sync topics hold, and more: handle it as personal data.",
	},
	{
		Name: TopicJournal, Role: RoleInternal, Record: "JournalEntry", Key: "partition", Example: "3", Retention: 7 * day,
		Writers: "shell", Readers: "replay", Doc: "What each transaction was made of, so that it can be run again.",
		Notes: "Places, numbers and a hash only: no value of any record.",
	},
	{
		Name: TopicBoot, Role: RoleInternal, Key: "boot", Example: "boot", Single: true, Compact: true, Retention: -1,
		Writers: "embedded broker", Readers: "shell", Doc: "Each start of the embedded broker, and whether it was closed cleanly before.",
		Notes: "The value is JSON: {\"boot\":3,\"clean\":true}. On Apache Kafka there is no such topic.",
	},
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
