package host

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	attempts, failures, changes, streams, webhooks *prometheus.CounterVec
	seconds                                        *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "crmstream", Subsystem: "crm", Name: name, Help: help}, labels)
	}
	m := &metrics{
		attempts: vec("attempts_total", "Attempts handed over.", "provider", "kind"),
		failures: vec("attempts_failed_total", "Attempts that failed as a whole, by class.", "provider", "class"),
		changes:  vec("changes_total", "Changes read or pushed.", "provider"),
		streams:  vec("streams_ended_total", "Streams that ended and were opened again.", "provider"),
		webhooks: vec("webhook_events_total", "Webhook events, by what became of them.", "provider", "outcome"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "crmstream", Subsystem: "crm", Name: "attempt_seconds",
			Help: "From the hand-over of an attempt to its answer.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16)}, []string{"provider", "kind"}),
	}
	if reg != nil {
		reg.MustRegister(m.attempts, m.failures, m.changes, m.streams, m.webhooks, m.seconds)
	}
	return m
}
