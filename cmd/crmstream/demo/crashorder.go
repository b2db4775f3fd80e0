package demo

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/crmstream/crmstream/connectors/simkit"
)

// How the CRMs of the test misbehave: a share of the writes is applied at once and
// answered only after a while, or after the longest that a request may take; a share
// is carried out when the client has given up and gone.
const (
	heldShort = 8 * time.Second
	heldLong  = 30 * time.Second
	lateBy    = 5 * time.Second
)

// misbehave arms both simulators.
func (c *crashTest) misbehave(ctx context.Context) error {
	var faults []simkit.Fault
	add := func(kind string, share float64, d time.Duration) {
		if share > 0 {
			faults = append(faults, simkit.Fault{Kind: kind, Count: -1, Writes: true, Share: share, Seed: c.o.Seed + uint64(len(faults)), DelayMS: int(d.Milliseconds())})
		}
	}
	add("hold", c.o.Held/2, heldShort)
	add("hold", c.o.Held/2, heldLong)
	add("late", c.o.Late, lateBy)
	for _, url := range c.simulators() {
		for _, f := range faults {
			if err := c.sim.call(ctx, http.MethodPost, url+"/_sim/faults", f, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// behave disarms them.
func (c *crashTest) behave(ctx context.Context) error {
	for _, url := range c.simulators() {
		if err := c.sim.call(ctx, http.MethodDelete, url+"/_sim/faults", nil, nil); err != nil {
			return err
		}
	}
	return nil
}

func (c *crashTest) simulators() []string {
	return []string{"http://" + c.a.Salesforce, "http://" + c.a.HubSpot}
}

// Order is what the simulators' ledgers say of the order of writes (P6).
type Order struct {
	// Writes is the number of records in write requests.
	Writes int `json:"writes"`
	// Held are writes whose answer came later than a healthy CRM's, Late those that were
	// applied when their client had gone.
	Held int `json:"held"`
	Late int `json:"late"`
	// Revised is the number of records that were written with more than one content.
	Revised int `json:"revised"`
	// OpenTogether are requests with different content for one record that were open at
	// one time, OutOfOrder older revisions that were applied after newer ones.
	OpenTogether []string `json:"open_together"`
	OutOfOrder   []string `json:"out_of_order"`
	// InWindow are those of both that a process sent which had just been paused: the
	// window that docs/promises.md names.
	InWindow []string `json:"in_window"`
	// Stale are calls that do not stand in the CRM with their newest content.
	Stale []string `json:"stale"`
}

// good reports whether the order was kept where it can be.
func (o *Order) good() bool {
	return len(o.OpenTogether) == 0 && len(o.OutOfOrder) == 0 && len(o.Stale) == 0
}

// paused is a time during which a process was stopped.
type paused struct{ from, to time.Time }

// windowAfter is how long after its pause a process may still send what it had checked
// before: it is one write to a socket, on a machine that does much else.
const windowAfter = time.Second

// pauses are noted by the killer.
type pauses struct {
	mu  sync.Mutex
	all []paused
}

func (p *pauses) add(from, to time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, paused{from, to})
}

// window reports whether the second of a pair was sent by a process that had just been
// paused, or the first lay on its way to one: a request that a pause cut in two.
func (p *pauses) window(pair simkit.Pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.all {
		for _, w := range []simkit.Write{pair.First, pair.Second} {
			at := time.UnixMicro(w.Received)
			if !at.Before(s.to) && at.Before(s.to.Add(windowAfter)) {
				return true
			}
		}
	}
	return false
}

var revisionText = regexp.MustCompile(`\brevision (\d+)\b`)

// revisionOf finds the revision in the text of a call.
func revisionOf(text string) (int64, bool) {
	m := revisionText.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	return n, err == nil
}

// order reads the ledgers and judges them.
func (c *crashTest) order(ctx context.Context) (Order, error) {
	o := Order{OpenTogether: []string{}, OutOfOrder: []string{}, InWindow: []string{}, Stale: []string{}}
	for _, url := range c.simulators() {
		var ledger struct {
			Writes  []simkit.Write `json:"writes"`
			Dropped int64          `json:"dropped"`
		}
		if err := c.sim.call(ctx, http.MethodGet, url+"/_sim/writes", nil, &ledger); err != nil {
			return o, err
		}
		if ledger.Dropped > 0 {
			return o, fmt.Errorf("the ledger of %s has dropped %d writes: the run is too long for it", url, ledger.Dropped)
		}
		contents := make(map[string]string)
		revised := make(map[string]bool)
		for i := range ledger.Writes {
			w := &ledger.Writes[i]
			o.Writes++
			switch {
			case w.Applied > 0 && w.Ended-w.Applied > (heldShort-time.Second).Microseconds():
				o.Held++
			case w.Applied > w.Ended:
				o.Late++
			}
			if id := w.Account + "/" + w.Object + "/" + w.Record; w.Record != "" && w.Part == "" {
				if before, ok := contents[id]; ok && before != w.Hash {
					revised[id] = true
				}
				contents[id] = w.Hash
			}
		}
		o.Revised += len(revised)
		v := simkit.Judge(ledger.Writes, func(w *simkit.Write) (int64, bool) { return revisionOf(string(w.Content)) })
		o.sort(v.OpenTogether, &o.OpenTogether, &c.pauses)
		o.sort(v.OutOfOrder, &o.OutOfOrder, &c.pauses)
	}
	stale, err := c.stale(ctx)
	o.Stale = stale
	o.short()
	return o, err
}

func (o *Order) sort(pairs []simkit.Pair, into *[]string, p *pauses) {
	for _, pair := range pairs {
		if p.window(pair) {
			into = &o.InWindow
		}
		*into = append(*into, describe(pair))
	}
}

// listed is how many findings of a kind are told.
const listed = 10

// short cuts the lists of findings.
func (o *Order) short() {
	for _, l := range []*[]string{&o.OpenTogether, &o.OutOfOrder, &o.InWindow, &o.Stale} {
		if n := len(*l) - listed; n > 0 {
			*l = append((*l)[:listed], fmt.Sprintf("and %d more", n))
		}
	}
}

func describe(p simkit.Pair) string {
	one := func(w simkit.Write) string {
		at := func(us int64) string {
			if us == 0 {
				return "-"
			}
			return time.UnixMicro(us).UTC().Format("15:04:05.000")
		}
		return fmt.Sprintf("request %d received %s applied %s ended %s %s%.200s", w.Request, at(w.Received), at(w.Applied), at(w.Ended), w.Part, w.Content)
	}
	return fmt.Sprintf("%s %s %s %s: %s; %s", p.Second.Account, p.Second.Object, p.Second.Record, p.Second.Identity, one(p.First), one(p.Second))
}

// stale lists the calls whose text in the CRM is not of the newest revision that Kafka
// acknowledged.
func (c *crashTest) stale(ctx context.Context) ([]string, error) {
	stale := []string{}
	for _, t := range c.w.tenants {
		object, idField := t.callObject()
		text := "Description"
		if t.provider == hubspot {
			text = "hs_call_body"
		}
		rows, err := c.sim.records(ctx, t, object)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			key := t.name + "/" + r[idField]
			c.mu.Lock()
			want := c.wanted[key]
			c.mu.Unlock()
			if have, _ := revisionOf(r[text]); have < want {
				stale = append(stale, fmt.Sprintf("%s: revision %d, acknowledged was %d", key, have, want))
			}
		}
	}
	return stale, nil
}
