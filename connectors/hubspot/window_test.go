package hubspot

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/connectortest"
	"github.com/crmstream/crmstream/connectors/hubspot/sim"
	"github.com/crmstream/crmstream/schemas"
)

const testToken = "pat-na1-11111111-2222-3333-4444-555555555555"

// portal is a simulated portal and the means to connect to it.
type portal struct {
	connectortest.Sim
	env connectors.Env
}

func newPortal(t *testing.T, change func(*sim.PortalConfig)) *portal {
	t.Helper()
	cfg := sim.PortalConfig{ID: 42, UniqueCallProperty: true, Tokens: []sim.TokenConfig{{Token: testToken}}}
	if change != nil {
		change(&cfg)
	}
	s, err := sim.New(sim.Config{SearchLag: -1, Portals: []sim.PortalConfig{cfg}})
	if err != nil {
		t.Fatal(err)
	}
	in := connectortest.Inside(t, s.Handler(), s.Close)
	return &portal{in, connectors.Env{HTTP: in.Client, Servers: map[string]string{"hubspot": in.URL},
		Secret: func(context.Context, string) (string, error) { return testToken, nil }}}
}

func (p *portal) open(t *testing.T) connectors.Conn {
	t.Helper()
	c, err := Provider().Open(p.env, "acme", schemas.Account{Provider: name, ID: "42", AuthFlow: "token", Auth: []schemas.Field{schemas.Text("token", "env:T")}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// limited is how many requests the portal has turned away.
func (p *portal) limited() int {
	var out struct {
		Limited int `json:"rate_limited"`
	}
	p.Own("GET", "requests", nil, &out)
	return out.Limited
}

// The window is the portal's own, used up and never overrun, and a new owner begins
// with what the former one left of it.
func TestWindowOfThePortal(t *testing.T) {
	for _, most := range []int{30, 100, 190, 250} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPortal(t, func(c *sim.PortalConfig) { c.RateMax = most })
				began := time.Now()
				send := func(c connectors.Conn, n int) {
					done := make(chan schemas.AttemptResult)
					for range n {
						go func() {
							at := schemas.Attempt{Kind: schemas.KindRead, Object: contacts, Items: []schemas.AttemptItem{{ID: "1"}}}
							r := c.Do(t.Context(), &at, time.Now().Add(time.Minute), nil).Result
							for r.Error == schemas.ErrThrottled {
								time.Sleep(time.Duration(r.RetryAfterMs) * time.Millisecond)
								r = c.Do(t.Context(), &at, time.Now().Add(time.Minute), nil).Result
							}
							done <- r
						}()
					}
					for range n {
						if r := <-done; r.Error != "" {
							t.Errorf("got %+v", r)
						}
					}
				}
				first := p.open(t)
				send(first, most-1) // and one that asked for the portal
				if d := time.Since(began); d != 0 {
					t.Errorf("the first window took %v", d)
				}
				first.Close()
				second := p.open(t)
				defer second.Close()
				send(second, 2*most)
				// The former owner's window and two of its own, each with its slack; the login
				// had to wait, too, and takes the third window's first place.
				if d := time.Since(began); d < 20*time.Second || d > 31*time.Second {
					t.Errorf("took %v", d)
				}
				if n := p.limited(); n > 1 { // the one by which the second owner asked
					t.Errorf("%d requests were turned away", n)
				}
			})
		})
	}
}

// Which headers come differs by the kind of app; whatever is missing changes nothing.
func TestLimitHeaders(t *testing.T) {
	for _, c := range []struct {
		name, headers  string
		perWindow      int
		window         time.Duration
		remaining, day int
		used           int
	}{
		{"private app", "Daily: 625000,Daily-Remaining: 624900,Interval-Milliseconds: 10000,Max: 190,Remaining: 188,Secondly: 19,Secondly-Remaining: 18", 190, 10 * time.Second, 188, 625000, 100},
		{"public app", "Interval-Milliseconds: 10000,Max: 110,Remaining: 109", 110, 10 * time.Second, 109, 0, 0},
		{"search by key", "Daily: 250000,Daily-Remaining: 0", 0, 0, 0, 250000, 250000},
		{"search", "", 0, 0, 0, 0, 0},
		{"no interval", "Max: 110,Remaining: 109", 0, 0, 0, 0, 0},
		{"no number", "Interval-Milliseconds: 10000,Max: many,Remaining: 1", 0, 0, 0, 0, 0},
		{"negative", "Interval-Milliseconds: 10000,Max: 100,Remaining: -1", 0, 0, 0, 0, 0},
	} {
		h := make(http.Header)
		for f := range strings.SplitSeq(c.headers, ",") {
			if k, v, ok := strings.Cut(f, ": "); ok {
				h.Set("X-HubSpot-RateLimit-"+k, v)
			}
		}
		if l := limits(h); l.PerWindow != c.perWindow || l.Window != c.window || l.Remaining != c.remaining || l.Daily != c.day || l.Used != c.used {
			t.Errorf("%s: %+v", c.name, l)
		}
	}
}

// A merge leaves ids that mean another record: a read says where they went, a page
// brings the record that came of it, and a write by an old id is told that it is gone.
func TestMergedRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPortal(t, nil)
		c := p.open(t)
		defer c.Close()
		put := func(name string) string {
			var out struct {
				ID string `json:"id"`
			}
			p.Own("POST", "write", map[string]any{"portal": 42, "object": contacts, "properties": map[string]string{"lastname": name}}, &out)
			return out.ID
		}
		a, b, other := put("A"), put("B"), put("C")
		var made struct {
			ID string `json:"id"`
		}
		p.Own("POST", "merge", map[string]any{"portal": 42, "object": contacts, "winner": a, "losers": []string{b}}, &made)
		got := make(map[string]string)
		emit := func(_ context.Context, ch *schemas.CRMChange) error {
			got[ch.ID] = ""
			if to := ch.Record.MovedTo; to != nil {
				got[ch.ID] = *to
			}
			return nil
		}
		read := schemas.Attempt{Kind: schemas.KindRead, Object: contacts}
		for _, id := range []string{a, b, other} {
			read.Items = append(read.Items, schemas.AttemptItem{Key: id, ID: id})
		}
		if r := c.Do(t.Context(), &read, time.Now().Add(time.Minute), emit).Result; r.Error != "" || got[a] != made.ID || got[b] != made.ID || got[other] != "" || len(got) != 3 {
			t.Errorf("read %v, want %s; %+v", got, made.ID, r)
		}
		clear(got)
		page := schemas.Attempt{Kind: schemas.KindPage, Page: &schemas.PageRequest{Source: contacts, Limit: 100}}
		if ans := c.Do(t.Context(), &page, time.Now().Add(time.Minute), emit); ans.Page == nil || len(got) != 2 || got[made.ID] != "" {
			t.Errorf("a page has %v; %+v", got, ans)
		}
		write := schemas.Attempt{Kind: schemas.KindWrite, Operation: schemas.OpUpdate, Object: contacts}
		for _, id := range []string{a, other} {
			write.Items = append(write.Items, schemas.AttemptItem{Key: id, ID: id, Fields: []schemas.Field{schemas.Text("city", "x")}})
		}
		r := c.Do(t.Context(), &write, time.Now().Add(time.Minute), nil).Result
		if r.Items[0].Error != schemas.ErrNotFound || r.Items[0].Outcome != schemas.Sent || r.Items[1].Error != "" || r.Items[1].Outcome != schemas.Sent {
			t.Errorf("wrote %+v", r)
		}
	})
}
