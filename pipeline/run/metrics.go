package run

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	transactions, aborts, sessions, records, forwarded, restored, timers, expired, cutOffs prometheus.Counter
	deadLetters                                                                            *prometheus.CounterVec
	commit                                                                                 prometheus.Histogram
	owned, refused, stalled                                                                prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "crmstream", Subsystem: "task", Name: name, Help: help})
	}
	m := &metrics{
		transactions: counter("transactions_total", "Transactions committed."),
		aborts:       counter("transactions_aborted_total", "Transactions taken back, by a rebalance or a fault."),
		sessions:     counter("sessions_failed_total", "Kafka sessions that ended with an error."),
		records:      counter("records_total", "Input records applied, dead letters included."),
		forwarded:    counter("records_forwarded_total", "Records that stood in a foreign partition: the producer's partitioner is not murmur2 over the tenant."),
		restored:     counter("restored_records_total", "Records read from the changelog into the store."),
		timers:       counter("timers_total", "Timers fired."),
		expired:      counter("records_expired_total", "Input records that were removed by age before they were applied."),
		cutOffs:      counter("scripts_cut_off_total", "Scripts of tenants that were cut off by a limit and switched off."),
		deadLetters: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "crmstream", Subsystem: "task", Name: "dead_letters_total",
			Help: "Inputs dead-lettered by the shell, by reason."}, []string{"reason"}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "crmstream", Subsystem: "task", Name: "transaction_seconds",
			Help: "From the beginning of a transaction to its commit.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15)}),
		owned: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "crmstream", Subsystem: "task", Name: "partitions_owned", Help: "Partitions owned and restored."}),
		refused: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "crmstream", Subsystem: "task", Name: "partitions_refused",
			Help: "Partitions that are left out, as going on would do harm: see the log and the status."}),
		stalled: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "crmstream", Subsystem: "task", Name: "inputs_stalled",
			Help: "Input partitions that an open transaction of another producer holds up: see the log and the status."}),
	}
	if reg != nil {
		reg.MustRegister(m.transactions, m.aborts, m.sessions, m.records, m.forwarded, m.restored, m.timers, m.expired, m.cutOffs, m.deadLetters, m.commit, m.owned, m.refused, m.stalled)
	}
	return m
}
