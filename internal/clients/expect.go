package main

// step is one thing that a client can do, by the name that the programs print.
type step struct {
	name string
	text string // a row of docs/clients.md
}

// steps in the order of the table.
var steps = []step{
	{"metadata", "brokers, topics, partitions"},
	{"produce", "calls as Avro, in their tenants' partitions"},
	{"read-back", "these calls, read by crmstream's codec"},
	{"default-partitioner", "the same with the client's default partitioner"},
	{"read", "`sync.calls` as Avro"},
	{"compression", "compression"},
	{"group", "a group: commits, a second member, going on"},
	{"group-cooperative", "the same, cooperative rebalance"},
	{"group-kip848", "the same, new group protocol (KIP-848)"},
	{"transaction", "transaction: commit, abort, read_committed"},
	{"transaction-offsets", "consume, produce, commit offsets in one transaction"},
	{"fencing", "an older producer of the same transactional id is fenced"},
	{"fencing-idle", "the same, before its successor has sent anything"},
	{"admin-topics", "admin: create, grow, describe, delete topics"},
	{"admin-configs", "admin: describe and alter configs"},
	{"admin-offsets", "offsets: earliest, latest, by time"},
	{"admin-delete-records", "admin: delete records"},
	{"admin-groups", "admin: list, describe, offsets, delete groups"},
	{"admin-cluster", "admin: describe cluster"},
	{"admin-transactions", "admin: list, describe, fence transactions"},
	{"admin-features", "admin: describe features"},
	{"admin-quorum", "admin: describe quorum"},
	{"registry", "registry: register, look up, versions, compatibility"},
	{"registry-extras", "registry: one version, types, contexts, modes"},
}

// expectation is what docs/clients.md says of one client and one step.
type expectation struct {
	word string // "yes", "no", or "" where the client has no such thing
	why  string // of a "no": a sentence, which docs/clients.md has too
}

var (
	yes  = expectation{word: "yes"}
	none = expectation{}
)

func no(why string) expectation { return expectation{"no", why} }

const (
	crc32    = "The default partitioner of librdkafka hashes by CRC-32: crmstream forwards such records, and counts them"
	noAvro   = "Debian builds kcat without Avro"
	noQuorum = "The embedded broker has no quorum of controllers to describe"
)

// expected has a line for each step and client: what is not named works.
var expected = map[string]map[string]expectation{
	"kcat": {
		"default-partitioner": no(crc32),
		"read":                no(noAvro),
		"group-kip848":        none, "transaction-offsets": none, "fencing": none, "fencing-idle": none,
		"admin-topics": none, "admin-configs": none, "admin-delete-records": none, "admin-groups": none, "admin-cluster": none,
		"admin-transactions": none, "admin-features": none, "admin-quorum": none,
		"registry": none, "registry-extras": none,
	},
	"python": {
		"default-partitioner": no(crc32),
		"admin-transactions":  none, "admin-features": none, "admin-quorum": none,
	},
	"java": {
		"admin-quorum":    no(noQuorum),
		"registry-extras": none,
	},
	"kafkajs": {
		"group-cooperative": none, "group-kip848": none,
		"admin-transactions": none, "admin-features": none, "admin-quorum": none,
		"registry-extras": none,
	},
}

// elsewhere has what is different on a broker and a registry that are not ours:
// Apache Kafka 4.1 and Apicurio Registry 2.5 in their Confluent API.
var elsewhere = map[string]map[string]expectation{
	"java": {"admin-quorum": yes},
	"python": {
		"registry":        no("Apicurio takes a subject for deleted once its newest version is"),
		"registry-extras": no("Apicurio has no modes, and does not list the subjects of an id"),
	},
}

// expect returns what is expected of a client's step.
func expect(client, step string, embedded bool) expectation {
	if !embedded {
		if e, ok := elsewhere[client][step]; ok {
			return e
		}
	}
	if e, ok := expected[client][step]; ok {
		return e
	}
	return yes
}
