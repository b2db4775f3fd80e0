package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/cmd/crmstream/app"
	"github.com/crmstream/crmstream/connectors/dialer"
	"github.com/crmstream/crmstream/schemas"
)

// show plays a dialer and CRM users, and watches what becomes of it.
type show struct {
	o       Options
	a       addresses
	w       *world
	sim     simClient
	process *app.Process
	cl      *kgo.Client // produces calls, consumes sync.*
	log     *os.File    // ids of calls that Kafka acknowledged
	run     string      // prefix of this run's ids

	mu       sync.Mutex
	sent     map[string]time.Time // calls: when they were produced
	logged   map[string]time.Duration
	held     map[string]bool
	edits    map[string]time.Time // values written by CRM users: when
	edited   map[string][]string  // tenant/record → its values, in order
	seen     map[string]time.Duration
	persons  map[string]bool // tenant/number on sync.contacts
	dead     int
	changed  chan struct{} // something arrived
	editErrs int
}

func newShow(ctx context.Context, o Options, a addresses, w *world, sim simClient, p *app.Process) (*show, error) {
	s := &show{o: o, a: a, w: w, sim: sim, process: p, run: strconv.FormatInt(time.Now().UnixMilli(), 36),
		sent: map[string]time.Time{}, logged: map[string]time.Duration{}, held: map[string]bool{}, edits: map[string]time.Time{}, edited: map[string][]string{},
		seen: map[string]time.Duration{}, persons: map[string]bool{}, changed: make(chan struct{}, 1)}
	var err error
	s.cl, err = kgo.NewClient(append(dialer.ClientOpts(), kgo.SeedBrokers(strings.Split(a.Broker, ",")...), kgo.ConsumeTopics(schemas.TopicSyncCalls, schemas.TopicSyncContacts, schemas.TopicDeadLetters),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return nil, err
	}
	s.log, err = os.OpenFile(filepath.Join(o.Dir, "calls.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.cl.Close()
		return nil, fmt.Errorf("opening the list of calls: %w", err)
	}
	servers := map[string]string{salesforce: "http://" + a.Salesforce, hubspot: "http://" + a.HubSpot}
	if err := w.apply(ctx, servers, p, a.Broker); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *show) close() {
	s.cl.Close()
	s.log.Close()
}

// play runs the whole play.
func (s *show) play(ctx context.Context) (*Verdict, error) {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Add(1)
	go func() {
		defer wg.Done()
		s.watch(ctx)
	}()
	v := newView(s)
	v.head()
	if err := s.await(ctx, settled, v, "the CRMs' people to arrive", s.peopleKnown); err != nil {
		return nil, err
	}
	wg.Add(1)
	go func() {
		defer wg.Done()
		s.edit(ctx)
	}()
	if err := s.call(ctx, v); err != nil {
		return nil, err
	}
	if !s.o.Exit {
		return nil, nil
	}
	err := s.await(ctx, settled, v, "calls and edits on their way", s.allDone)
	var checks []Check
	if s.o.Mixed && err == nil {
		checks, err = s.mixed(ctx, v)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	verdict, verr := s.verdict(ctx)
	if verr != nil {
		return nil, verr
	}
	verdict.Checks = checks
	if err != nil {
		verdict.Note = err.Error()
	}
	return verdict, nil
}

// await draws until done says so.
func (s *show) await(ctx context.Context, atMost time.Duration, v *view, what string, done func() bool) error {
	deadline := time.NewTimer(atMost)
	defer deadline.Stop()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return fmt.Errorf("after %s there are still %s", atMost, what)
		case <-s.changed:
		case <-tick.C:
			v.draw(what)
		}
	}
	return nil
}

func (s *show) peopleKnown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.w.tenants {
		for _, p := range t.people {
			if !s.persons[t.name+"/"+p.id] {
				return false
			}
		}
	}
	return true
}

func (s *show) allDone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.logged) >= len(s.sent) && len(s.edits) >= s.o.Edits && len(s.seen) >= len(s.edits)
}

// call plays the dialer: at the rate, to a random person of a random tenant.
func (s *show) call(ctx context.Context, v *view) error {
	g := dialer.NewGenerator(s.o.Seed)
	rng := rand.New(rand.NewPCG(s.o.Seed, 1))
	tick := time.NewTicker(time.Second / time.Duration(s.o.Rate))
	defer tick.Stop()
	drawn := time.Now()
	for n := 1; s.o.Calls == 0 && !s.o.Exit || n <= s.o.Calls; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		t := s.w.tenants[rng.IntN(len(s.w.tenants))]
		p := t.people[rng.IntN(len(t.people))]
		id := "call-" + strconv.Itoa(n)
		if s.o.Exit || s.resumed() {
			id = "call-" + s.run + "-" + strconv.Itoa(n)
		}
		c := g.Next(t.name, id, p.phone, rep, time.Now())
		rec, err := dialer.Record(s.process.Codec(), c)
		if err != nil {
			return err
		}
		key := t.name + "/" + id
		s.mu.Lock()
		s.sent[key] = time.Now()
		s.mu.Unlock()
		s.cl.Produce(ctx, rec, func(_ *kgo.Record, err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if err != nil {
				delete(s.sent, key) // the dialer was told that it is not there
				return
			}
			fmt.Fprintln(s.log, key)
		})
		if time.Since(drawn) > 250*time.Millisecond {
			v.draw("")
			drawn = time.Now()
		}
	}
	return s.cl.Flush(ctx)
}

// resumed reports whether the folder holds calls of an earlier run.
func (s *show) resumed() bool {
	fi, err := s.log.Stat()
	return err == nil && fi.Size() > 0 && s.run != ""
}

// edit plays CRM users: a new title for somebody, a few a second.
func (s *show) edit(ctx context.Context) {
	rng := rand.New(rand.NewPCG(s.o.Seed, 2))
	every := 500 * time.Millisecond
	if s.o.Exit {
		every = 50 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 1; s.o.Edits == 0 && !s.o.Exit || n <= s.o.Edits; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		t := s.w.tenants[rng.IntN(len(s.w.tenants))]
		p := t.people[(n*7)%len(t.people)]
		field := "Title"
		if t.provider == hubspot {
			field = "jobtitle"
		}
		title := "Title " + s.run + "-" + strconv.Itoa(n)
		value := title
		if t.shown != nil {
			value = t.shown(title)
		}
		s.mu.Lock()
		s.edits[value] = time.Now()
		s.edited[t.name+"/"+p.id] = append(s.edited[t.name+"/"+p.id], value)
		s.mu.Unlock()
		if _, err := s.sim.write(ctx, t, p.id, map[string]string{field: title}); err != nil && ctx.Err() == nil {
			s.mu.Lock()
			delete(s.edits, value)
			s.editErrs++
			s.mu.Unlock()
		}
	}
}

// watch reads what a dialer and a data team read.
func (s *show) watch(ctx context.Context) {
	for ctx.Err() == nil {
		fs := s.cl.PollFetches(ctx)
		fs.EachRecord(func(r *kgo.Record) {
			if r.Value == nil {
				return
			}
			v, err := s.process.Codec().Decode(ctx, r.Topic, r.Value)
			if err != nil {
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			switch v := v.(type) {
			case *schemas.SyncCall:
				s.sawCall(v)
			case *schemas.SyncContact:
				s.sawContact(v)
			case *schemas.DeadLetter:
				s.dead++
			}
		})
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

func (s *show) sawCall(c *schemas.SyncCall) {
	key := c.Tenant + "/" + c.CallID
	s.held[key] = c.Status == schemas.StatusHeld
	at, ours := s.sent[key]
	if !ours || c.Status != schemas.StatusSynced {
		return
	}
	if _, known := s.logged[key]; known {
		return
	}
	var last int64
	for _, l := range c.Logged {
		last = max(last, l.At)
	}
	s.logged[key] = max(0, time.UnixMilli(last).Sub(at.Truncate(time.Millisecond)))
}

func (s *show) sawContact(c *schemas.SyncContact) {
	for _, l := range c.Links {
		s.persons[c.Tenant+"/"+l.ID] = true
	}
	for _, f := range c.Fields {
		if f.Name != "title" || f.Value == nil || !strings.HasPrefix(strings.ToLower(*f.Value), "title ") {
			continue
		}
		// Edits of one record that follow each other closely are read once: who sees the
		// later value has seen the earlier ones overtaken, as a user of the CRM has.
		for _, l := range c.Links {
			values := s.edited[c.Tenant+"/"+l.ID]
			for i := slices.Index(values, *f.Value); i >= 0; i-- {
				if at, ours := s.edits[values[i]]; ours {
					if _, known := s.seen[values[i]]; !known {
						s.seen[values[i]] = time.Since(at)
					}
				}
			}
		}
	}
}

// percentile of durations, in milliseconds.
func percentile(m map[string]time.Duration, p float64) float64 {
	ds := make([]time.Duration, 0, len(m))
	for _, d := range m {
		ds = append(ds, d)
	}
	if len(ds) == 0 {
		return 0
	}
	sort.Slice(ds, func(i, j int) bool { return ds[i] < ds[j] })
	i := int(p*float64(len(ds))+0.5) - 1
	return float64(ds[max(0, min(i, len(ds)-1))].Microseconds()) / 1000
}
