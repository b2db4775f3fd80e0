package sim

// Delivers webhooks: POSTs of up to 100 events of one portal, several on their way at a time, so that no order holds between them;
// signed v1 and v3. Anything but a 2xx within the client's timeout, a redirect too, is a failure: the events are tried again, up to
// ten times within a day at random moments, and then dropped. What arrived before the failure arrives again.
//
// Deviations: portals are never mixed in a delivery, settings hold at once (the vendor keeps them for minutes), retries that were
// waiting when the process ended are due at once when it starts again.

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crmstream/crmstream/connectors/simkit"
)

const (
	maxEvents = 100
	coalesce  = 20 * time.Millisecond
)

// retryDelay is how long events wait after a failed delivery; false = they are dropped. Where the configuration gives no delays it
// is the vendor's promise: ten tries spread over a day.
func (s *Server) retryDelay(attempt int) (time.Duration, bool) {
	if s.cfg.WebhookRetry != nil {
		if attempt >= len(s.cfg.WebhookRetry) {
			return 0, false
		}
		return s.cfg.WebhookRetry[attempt], true
	}
	if attempt >= 10 {
		return 0, false
	}
	return time.Minute<<attempt + rand.N(time.Minute), true
}

// deliverLoop delivers a portal's events until the server is closed. It never holds the portal's mutex while it waits.
func (p *portal) deliverLoop() {
	var flights sync.WaitGroup
	defer flights.Wait()
	inFlight := make(map[int64]bool) // guarded by p.mu
	slots := defaultMaxConcurrent
	if p.cfg.App != nil && p.cfg.App.MaxConcurrent > 0 {
		slots = p.cfg.App.MaxConcurrent
	}
	free := make(chan struct{}, slots)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		p.mu.Lock()
		batch, wait := p.nextBatch(inFlight, time.Now().UnixMilli())
		app := p.cfg.App
		p.mu.Unlock()
		if len(batch) == 0 {
			timer.Reset(wait)
			select {
			case <-p.srv.ctx.Done():
				return
			case <-p.wake:
			case <-timer.C:
			}
			// What comes in the same moment goes in one delivery.
			select {
			case <-p.srv.ctx.Done():
				return
			case <-time.After(coalesce):
			}
			continue
		}
		select {
		case <-p.srv.ctx.Done():
			return
		case free <- struct{}{}:
		}
		flights.Go(func() {
			defer func() { <-free }()
			p.deliver(app, batch, inFlight)
			p.nudge()
		})
	}
}

// nextBatch takes events that are due and on no flight; wait is until the next one is.
func (p *portal) nextBatch(inFlight map[int64]bool, now int64) (batch []event, wait time.Duration) {
	wait = time.Hour
	if p.cfg.App == nil || p.cfg.App.TargetURL == "" {
		return nil, wait
	}
	for _, e := range p.pending {
		switch {
		case inFlight[e.EventID]:
		case e.due > now:
			wait = min(wait, time.Duration(e.due-now)*time.Millisecond)
		case len(batch) < maxEvents && (len(batch) == 0 || batch[0].AttemptNumber == e.AttemptNumber):
			batch = append(batch, *e)
			inFlight[e.EventID] = true
		}
	}
	return batch, wait
}

// deliver makes one delivery and writes down what became of it.
func (p *portal) deliver(app *AppConfig, batch []event, inFlight map[int64]bool) {
	err := p.attempt(app, batch)
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &logWebhook{}
	for i := range batch {
		delete(inFlight, batch[i].EventID)
		l.Events = append(l.Events, batch[i].EventID)
	}
	var due int64
	switch delay, again := p.srv.retryDelay(batch[0].AttemptNumber); {
	case err == nil:
		p.stats.Delivered += len(batch)
	case p.srv.ctx.Err() != nil:
		return // still owed
	case again:
		l.Attempt = batch[0].AttemptNumber + 1
		due = time.Now().Add(delay).UnixMilli()
		p.stats.Failed++
	default:
		l.Dropped = true
		p.stats.Dropped += len(batch)
		p.srv.cfg.Logger.Warn("webhook events are dropped", "portal", p.id, "events", len(batch), "error", err)
	}
	if _, lerr := p.log.Append(logLine{Webhook: l}); lerr != nil {
		p.srv.cfg.Logger.Error("writing down a delivery", "error", lerr)
	}
	p.delivered(l)
	if l.Attempt > 0 {
		ids := make(map[int64]bool)
		for _, id := range l.Events {
			ids[id] = true
		}
		for _, e := range p.pending {
			if ids[e.EventID] {
				e.due = due
			}
		}
	}
}

// attempt makes one delivery, unless a fault has it otherwise.
func (p *portal) attempt(app *AppConfig, batch []event) error {
	f, _ := p.srv.faults.Take(strconv.FormatInt(p.id, 10), nil, webhookFaults...)
	switch f.Kind {
	case "webhook_drop":
		return errors.New("a fault lost it on its way")
	case "webhook_duplicate":
		if err := p.post(app, batch); err != nil {
			return err
		}
	case "webhook_delay":
		select {
		case <-time.After(time.Duration(f.DelayMS) * time.Millisecond):
		case <-p.srv.ctx.Done():
		}
	case "webhook_late":
		return errors.Join(errors.New("a fault lost its answer"), p.post(app, batch))
	}
	return p.post(app, batch)
}

func (p *portal) post(app *AppConfig, batch []event) error {
	wire := slices.Clone(batch)
	for i := range wire {
		wire[i].EventID = wire[i].wireID()
	}
	body, err := simkit.Marshal(wire)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(p.srv.ctx, http.MethodPost, app.TargetURL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	stamp := strconv.FormatInt(time.Now().UnixMilli(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "HubSpot Connect 2.0 (http://dev.hubspot.com/) (namespace: webhooks-nio-http-client) - WebhooksExecutorDaemon-executor")
	req.Header.Set("X-HubSpot-Signature-Version", "v1")
	req.Header.Set("X-HubSpot-Signature", signV1(app.ClientSecret, body))
	req.Header.Set("X-HubSpot-Request-Timestamp", stamp)
	req.Header.Set("X-HubSpot-Signature-v3", signV3(app.ClientSecret, http.MethodPost, app.TargetURL, body, stamp))
	req.Header.Set("X-HubSpot-Timeout-Millis", "10000")
	resp, err := p.srv.cfg.HTTPClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the target answered %s", resp.Status)
	}
	return nil
}

func signV1(secret string, body []byte) string {
	sum := sha256.Sum256(append([]byte(secret), body...))
	return hex.EncodeToString(sum[:])
}

// unescaped takes the escapes back that the vendor takes back before it signs an address.
var unescaped = func() *strings.Replacer {
	var pairs []string
	for _, c := range ":/?@!$'()*,;" {
		pairs = append(pairs, fmt.Sprintf("%%%02X", c), string(c), fmt.Sprintf("%%%02x", c), string(c))
	}
	return strings.NewReplacer(pairs...)
}()

func signV3(secret, method, uri string, body []byte, timestamp string) string {
	m := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(m, method+unescaped.Replace(uri))
	_, _ = m.Write(body)
	_, _ = io.WriteString(m, timestamp)
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}
