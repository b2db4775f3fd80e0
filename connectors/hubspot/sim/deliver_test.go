package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// receiver is a webhook target without a network.
type receiver struct {
	mu    sync.Mutex
	posts []post
	reply func(n int) (status int, takes time.Duration) // of the n-th delivery; nil = 204 at once
}

type post struct {
	at     time.Time
	events []event
	head   http.Header
	body   []byte
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	p := post{at: time.Now(), head: req.Header, body: body}
	if err := json.Unmarshal(body, &p.events); err != nil {
		return nil, err
	}
	r.mu.Lock()
	n := len(r.posts)
	r.posts = append(r.posts, p)
	r.mu.Unlock()
	status, takes := http.StatusNoContent, time.Duration(0)
	if r.reply != nil {
		status, takes = r.reply(n)
	}
	select {
	case <-time.After(takes):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	w := httptest.NewRecorder()
	w.WriteHeader(status)
	return w.Result(), nil
}

func (r *receiver) got() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.posts)
}

// hooked is a portal whose deliveries go to a receiver, in a test's own time.
func hooked(t *testing.T, r *receiver, change func(*Config)) *Server {
	t.Helper()
	cfg := Config{SearchLag: -1, HTTPClient: &http.Client{Transport: r, Timeout: webhookTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		Portals: []PortalConfig{{ID: 7, Tokens: []TokenConfig{{Token: "pat-1", AppID: 9}}, RateMax: 10_000, App: &AppConfig{ID: 9, ClientSecret: "s", TargetURL: "https://t.example/a%3Ab",
			Subscriptions: []string{"contact.propertyChange:phone", "contact.propertyChange:city", "contact.creation", "contact.deletion", "contact.propertyChange:email"}}}}}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func call1(t *testing.T, s *Server, method, path, body string) string {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer pat-1")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.String()
}

func types(es []event) (out []string) {
	for _, e := range es {
		out = append(out, strings.TrimPrefix(e.SubscriptionType, "contact.")+":"+e.PropertyName)
	}
	return out
}

// A creation comes amid its initial values, in one delivery, of one moment.
func TestCreationStandsAmidItsValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(receiver)
		s := hooked(t, r, nil)
		call1(t, s, "POST", "/crm/v3/objects/contacts", `{"properties":{"phone":"1","city":"c","email":"a@b.c"}}`)
		time.Sleep(time.Second)
		ps := r.got()
		if len(ps) != 1 {
			t.Fatalf("%d deliveries", len(ps))
		}
		got := types(ps[0].events)
		if want := []string{"propertyChange:phone", "propertyChange:city", "creation:", "propertyChange:email"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
		for _, e := range ps[0].events {
			if e.OccurredAt != ps[0].events[0].OccurredAt || e.AttemptNumber != 0 || e.PortalID != 7 || e.AppID != 9 {
				t.Errorf("got %+v", e)
			}
		}
		// The address is signed with these escapes taken back.
		if g := ps[0].head.Get("X-HubSpot-Signature-v3"); g != signV3("s", "POST", "https://t.example/a:b", ps[0].body, ps[0].head.Get("X-HubSpot-Request-Timestamp")) {
			t.Error("v3")
		}
	})
}

// A delivery has at most 100 events; no two have an order; ids say nothing.
func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		most, now := 0, 0
		var mu sync.Mutex
		r := new(receiver)
		r.reply = func(int) (int, time.Duration) { return 200, time.Second }
		s := hooked(t, r, func(c *Config) {
			inner := c.HTTPClient.Transport
			c.HTTPClient.Transport = roundTripper(func(req *http.Request) (*http.Response, error) {
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				defer func() { mu.Lock(); now--; mu.Unlock() }()
				return inner.RoundTrip(req)
			})
		})
		for n := range 25 {
			var in []string
			for i := range 100 {
				in = append(in, fmt.Sprintf(`{"properties":{"email":"e%d-%d@x.y"}}`, n, i))
			}
			call1(t, s, "POST", "/crm/v3/objects/contacts/batch/create", `{"inputs":[`+strings.Join(in, ",")+`]}`)
		}
		time.Sleep(time.Minute)
		seen, rising, last := map[int64]int{}, 0, int64(0)
		total := 0
		for _, p := range r.got() {
			if len(p.events) > 100 {
				t.Errorf("%d events in one", len(p.events))
			}
			for _, e := range p.events {
				total++
				if seen[e.EventID]++; e.EventID > last {
					rising++
				}
				last = e.EventID
			}
		}
		if total != 5000 || most != 10 || rising > 4000 || rising < 1000 {
			t.Errorf("%d events, at most %d deliveries at a time, %d ids above the one before", total, most, rising)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Whatever is no 2xx within five seconds is tried again, ten times within a day, under
// the same id and the next number, and then dropped.
func TestRetries(t *testing.T) {
	for name, reply := range map[string]func(int) (int, time.Duration){
		"400": func(int) (int, time.Duration) { return 400, 0 }, "404": func(int) (int, time.Duration) { return 404, 0 },
		"410": func(int) (int, time.Duration) { return 410, 0 }, "429": func(int) (int, time.Duration) { return 429, 0 },
		"500": func(int) (int, time.Duration) { return 500, 0 }, "a redirect": func(int) (int, time.Duration) { return 302, 0 },
		"too late": func(int) (int, time.Duration) { return 200, webhookTimeout + time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{reply: reply}
				s := hooked(t, r, nil)
				began := time.Now()
				call1(t, s, "POST", "/crm/v3/objects/contacts", `{"properties":{"phone":"1"}}`)
				time.Sleep(48 * time.Hour)
				ps := r.got()
				if len(ps) != 11 || ps[10].at.Sub(began) > 24*time.Hour || ps[10].at.Sub(began) < 12*time.Hour {
					t.Fatalf("%d deliveries, the last after %v", len(ps), ps[len(ps)-1].at.Sub(began))
				}
				for i, p := range ps {
					if p.events[0].AttemptNumber != i || p.events[0].EventID != ps[0].events[0].EventID || len(p.events) != 2 {
						t.Errorf("delivery %d: %+v", i, p.events)
					}
				}
				if got := call1(t, s, "GET", "/_sim/requests", ""); !strings.Contains(got, `"dropped":2`) || !strings.Contains(got, `"pending":0`) {
					t.Errorf("%s", got)
				}
			})
		})
	}
}

// One that is slow but in time is delivered once; one whose answer is lost comes
// twice; one that is late is passed by those behind it.
func TestDeliveryFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{reply: func(int) (int, time.Duration) { return 200, webhookTimeout - time.Millisecond }}
		s := hooked(t, r, func(c *Config) {
			c.WebhookRetry = []time.Duration{time.Minute}
			c.Portals[0].App.Subscriptions = []string{"contact.creation"}
		})
		numbers := func(what string, fault string, want ...int) {
			t.Helper()
			if fault != "" {
				call1(t, s, "POST", "/_sim/faults", fault)
			}
			before := len(r.got())
			call1(t, s, "POST", "/crm/v3/objects/contacts", `{"properties":{}}`)
			time.Sleep(5 * time.Minute)
			var got []int
			for _, p := range r.got()[before:] {
				got = append(got, p.events[0].AttemptNumber)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: deliveries %v, want %v", what, got, want)
			}
		}
		numbers("slow", "", 0)
		numbers("made twice", `{"kind":"webhook_duplicate"}`, 0, 0)
		numbers("lost", `{"kind":"webhook_drop","portal":7}`, 1)
		numbers("another portal's", `{"kind":"webhook_delay","delay_ms":1,"portal":7}`, 0)
		numbers("its answer is lost", `{"kind":"webhook_late"}`, 0, 1)
		before := len(r.got())
		call1(t, s, "POST", "/_sim/faults", `{"kind":"webhook_delay","delay_ms":60000}`)
		var ids []string
		for range 2 {
			var out struct{ ID string }
			if err := json.Unmarshal([]byte(call1(t, s, "POST", "/crm/v3/objects/contacts", `{"properties":{}}`)), &out); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, out.ID)
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Minute)
		var got []string
		for _, p := range r.got()[before:] {
			got = append(got, fmt.Sprint(p.events[0].ObjectID))
		}
		if slices.Reverse(ids); !slices.Equal(got, ids) {
			t.Errorf("came in the order %v, want %v", got, ids)
		}
	})
}

// The end of the process drops nothing: what was on its way is owed again.
func TestOwedAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := &receiver{reply: func(int) (int, time.Duration) { return 200, 4 * time.Second }}
		s := hooked(t, r, func(c *Config) { c.Dir = dir })
		call1(t, s, "POST", "/crm/v3/objects/contacts", `{"properties":{"phone":"1"}}`)
		time.Sleep(time.Second) // it is on its way
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- s.Close() }()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-ctx.Done():
			t.Fatal("Close waits for a delivery")
		}
		r.reply = nil
		hooked(t, r, func(c *Config) { c.Dir = dir })
		time.Sleep(time.Minute)
		ps := r.got()
		if len(ps) != 2 || ps[1].events[0].EventID != ps[0].events[0].EventID {
			t.Errorf("%d deliveries", len(ps))
		}
	})
}
