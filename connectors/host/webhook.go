package host

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/schemas"
)

// maxWebhook bounds the body of one delivery.
const maxWebhook = 1 << 20

// webhookWithin is how long the records of a delivery may take to Kafka: senders
// give up after five seconds.
const webhookWithin = 4 * time.Second

// WebhookHandler receives deliveries at /webhooks/{provider}/{app}. The secret is
// found by the path, so that nothing is parsed before it is verified; 2xx is
// answered once all records are acknowledged by all replicas (P5).
func (h *Host) WebhookHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /webhooks/{provider}/{app}", h.webhook)
	return mux
}

func (h *Host) webhook(w http.ResponseWriter, r *http.Request) {
	provider, app := r.PathValue("provider"), r.PathValue("app")
	p, ok := h.providers[provider].(connectors.WebhookReceiver)
	if !ok || h.cfg.WebhookSecret == nil {
		http.Error(w, "no webhooks here", http.StatusNotFound)
		return
	}
	if !h.directory.isReady() {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWebhook))
	if err != nil {
		http.Error(w, "the body is over 1 MiB or did not arrive", http.StatusRequestEntityTooLarge)
		return
	}
	secret, err := h.cfg.WebhookSecret(r.Context(), provider, app)
	if err != nil {
		status := http.StatusServiceUnavailable
		if errors.Is(err, ErrUnknownApp) {
			status = http.StatusNotFound
		}
		http.Error(w, "no such app", status)
		return
	}
	url := h.cfg.PublicURL + r.URL.RequestURI()
	events, err := p.Receive(r, body, url, secret, h.cfg.Env.Now())
	if err != nil {
		status := http.StatusBadRequest
		var we *connectors.WebhookError
		if errors.As(err, &we) {
			status = we.Status
		}
		h.metrics.webhooks.WithLabelValues(provider, "refused").Inc()
		http.Error(w, "refused", status)
		return
	}
	known, err := h.intake(r.Context(), provider, events)
	switch {
	case err != nil:
		h.cfg.Log.Warn("a webhook could not be written to Kafka", "provider", provider, "why", err)
		http.Error(w, "try again", http.StatusServiceUnavailable)
	case !known && len(events) > 0:
		http.Error(w, "no such account", http.StatusNotFound)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// intake produces the events of known accounts and waits for their acknowledgement.
func (h *Host) intake(ctx context.Context, provider string, events []connectors.WebhookEvent) (known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, webhookWithin)
	defer cancel()
	var recs []*kgo.Record
	for i := range events {
		ev := &events[i]
		tenants := h.directory.tenants(provider, ev.Account)
		if len(tenants) == 0 {
			h.metrics.webhooks.WithLabelValues(provider, "unknown_account").Inc()
			continue
		}
		known = true
		for _, tenant := range tenants {
			c := ev.Change
			c.Provider, c.Account = provider, ev.Account
			if c.ObservedAt == 0 {
				c.ObservedAt = h.cfg.Env.Now().UnixMilli()
			}
			value, err := h.cfg.Codec.Append(nil, schemas.TopicCRMChanges, &c)
			if err != nil {
				return known, err
			}
			recs = append(recs, &kgo.Record{Topic: schemas.TopicCRMChanges, Partition: schemas.PartitionOf(tenant, h.cfg.Partitions),
				Key: []byte(tenant + "/" + provider + "/" + c.Object + "/" + c.ID), Value: value})
			h.metrics.webhooks.WithLabelValues(provider, "taken").Inc()
		}
	}
	return known, h.producer.ProduceSync(ctx, recs...).FirstErr()
}
