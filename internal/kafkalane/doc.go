// Package kafkalane runs the real parts beside the code: one Apache Kafka (KRaft,
// one process) and one Apicurio Registry, from their published artifacts, without
// containers. Command withkafka starts them around another command; the crash run
// uses the package itself, to kill the broker and start it again.
//
// In: nothing but java, and mvn the first time. Out: the addresses, as fields and as
// the environment variables CRMSTREAM_TEST_BROKERS and CRMSTREAM_TEST_REGISTRY.
//
// The artifacts are fetched by Maven into the user's cache folder, each checked
// against SHA256SUMS. Both parts listen on loopback, keep their data in a temporary
// folder, and die with the process that started them.
//
// It must never reuse data of an earlier run, and never start what SHA256SUMS does
// not name.
package kafkalane
