// Package bench measures the speeds that docs/performance.md quotes, each against
// its bound in the same run. A figure without its bound beside it says more of the
// machine than of the code.
//
// `make bench` measures on the embedded broker, `make bench-kafka` on the Apache
// Kafka and the registry that CRMSTREAM_TEST_BROKERS and CRMSTREAM_TEST_REGISTRY
// name. There each benchmark deletes the catalogue's topics and makes them again:
// never name a broker that has anything to lose. Kafka Streams on the same work is
// bench/peer, a killed owner's failover is the crash run's, and the way from the
// host to the CRM is the demo's.
package bench
