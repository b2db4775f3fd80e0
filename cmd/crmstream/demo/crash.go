package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/connectors/dialer"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
)

// CrashOptions say what to send and what to kill.
type CrashOptions struct {
	Binary         string // crmstream
	Dir            string
	Calls, Tenants int
	// Processes share the work; what is done to them is done to one at random.
	Processes int
	// Kills are by SIGKILL; a pause is a SIGSTOP for longer than the session; one that
	// leaves is stopped cleanly and joins again.
	Kills, Pauses, Leaves, BrokerKills int
	// Held and Late are the shares, 0 to 1, of the CRMs' writes that are applied at once
	// and answered up to 30 s later, or carried out after the client has gone.
	Held, Late float64
	// Kafka is the broker; nil = crmstream broker.
	Kafka Kafka
	Rate  int
	Seed  uint64
	Out   io.Writer
}

// Kafka is a broker with a registry that runs elsewhere.
type Kafka interface {
	Addr() string
	RegistryURL() string
	// Kill ends the broker as a crash does; Start starts it again, on the same data.
	Kill()
	Start(ctx context.Context) error
}

// CrashReport is what was counted afterwards.
type CrashReport struct {
	Verdict
	Processes   int    `json:"processes"`
	Kills       int    `json:"kills"`
	Pauses      int    `json:"pauses"`
	Leaves      int    `json:"leaves"`
	BrokerKills int    `json:"broker_kills"`
	Seed        uint64 `json:"seed"`
	// Disagree lists persons whose title on sync.contacts is not the CRM's.
	Disagree []string `json:"disagree"`
	// Refused lists dead letters: nothing that the test sends is refused by a CRM.
	Refused []string `json:"refused"`
	// Believers lists partitions that two processes held at one time.
	Believers []string `json:"believers"`
	// FailoverMS is the longest time, in ms, from a SIGKILL of a process until every
	// partition was held again, the processes' own start included.
	FailoverMS int64 `json:"failover_ms"`
	Order      Order `json:"order"`
	// Restores of the last pipeline processes.
	RestoredFull int64  `json:"restored_full"`
	RestoredTail int64  `json:"restored_tail"`
	Replay       string `json:"replay"`
	Took         string `json:"took"`
}

// Good reports whether nothing is lost, doubled or in disagreement.
func (r *CrashReport) Good() bool {
	return r.Lost == 0 && r.Duplicated == 0 && len(r.Disagree) == 0 && len(r.Believers) == 0 && len(r.Refused) == 0 && r.Note == "" && r.Order.good()
}

// crashTest is the state of one run.
type crashTest struct {
	o      CrashOptions
	w      *world
	a      addresses
	sim    simClient
	procs  map[string]*child
	cl     *kgo.Client
	codec  *registry.Codec
	runs   []*pipelineProcess
	watch  *watcher
	mu     sync.Mutex
	wanted map[string]int64  // tenant/call → newest revision that Kafka acknowledged
	titles map[string]string // tenant/id → last title written
	pauses pauses
}

// Crash runs the test.
func Crash(ctx context.Context, o CrashOptions) (_ *CrashReport, err error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	c := &crashTest{o: o, procs: map[string]*child{}, wanted: map[string]int64{}, titles: map[string]string{}, sim: simClient{&http.Client{Timeout: 30 * time.Second}}}
	c.o.Processes = max(1, o.Processes)
	defer func() {
		for _, p := range c.procs {
			p.kill()
		}
	}()
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	defer c.cl.Close()
	rep := &CrashReport{Seed: o.Seed, Processes: c.o.Processes, Disagree: []string{}, Refused: []string{}, Believers: []string{}}
	if err := c.play(ctx, rep); err != nil {
		return nil, err
	}
	if err := c.settle(ctx, rep); err != nil {
		return nil, err
	}
	if err := c.judge(ctx, rep); err != nil {
		return nil, err
	}
	rep.Took = time.Since(began).Round(time.Second).String()
	return rep, nil
}

// play sends calls and edits while the killer is at work.
func (c *crashTest) play(ctx context.Context, rep *CrashReport) error {
	play, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		c.edits(play)
	}()
	if err := c.misbehave(ctx); err != nil {
		return err
	}
	killed := make(chan error, 1)
	go func() { killed <- c.killer(play, rep) }()
	wg.Add(1)
	go func() {
		defer wg.Done()
		c.watch.run(play)
	}()
	err := c.calls(ctx)
	err = errors.Join(err, <-killed)
	stop()
	wg.Wait()
	return errors.Join(err, c.behave(ctx))
}

// revised is how many of the last calls a new revision may be of: some came just now
// and are on their way, some wait for a held answer.
const revised = 2000

// calls sends calls at the rate, and beside every third a new revision of one that was
// sent before.
func (c *crashTest) calls(ctx context.Context) error {
	g := dialer.NewGenerator(c.o.Seed)
	rng := rand.New(rand.NewPCG(c.o.Seed, 1))
	tick := time.NewTicker(time.Second / time.Duration(c.o.Rate))
	defer tick.Stop()
	var sent []dialer.Call
	for n := 1; n <= c.o.Calls; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		t := c.w.tenants[rng.IntN(len(c.w.tenants))]
		p := t.people[rng.IntN(len(t.people))]
		call := g.Next(t.name, "call-"+strconv.Itoa(n), p.phone, rep, time.Now())
		if err := c.produce(ctx, &call); err != nil {
			return err
		}
		sent = append(sent, call)
		if rng.IntN(3) == 0 {
			back := 1 + rng.IntN(min(len(sent), revised))
			if rng.IntN(2) == 0 {
				back = 1 + rng.IntN(min(len(sent), 50))
			}
			old := &sent[len(sent)-back]
			old.Event.Revision++
			if err := c.produce(ctx, old); err != nil {
				return err
			}
		}
	}
	return c.cl.Flush(ctx)
}

// produce sends a call whose notes say its revision.
func (c *crashTest) produce(ctx context.Context, call *dialer.Call) error {
	ev := call.Event
	notes := fmt.Sprintf("%s This is revision %d.", *ev.Notes, ev.Revision)
	ev.Notes = &notes
	rec, err := dialer.Record(c.codec, dialer.Call{Tenant: call.Tenant, Event: ev})
	if err != nil {
		return err
	}
	c.cl.Produce(ctx, rec, func(_ *kgo.Record, err error) {
		if err == nil { // acknowledged: from here on it must not be lost
			c.mu.Lock()
			key := call.Tenant + "/" + ev.CallID
			c.wanted[key] = max(c.wanted[key], ev.Revision)
			c.mu.Unlock()
		}
	})
	return nil
}

func (c *crashTest) edits(ctx context.Context) {
	rng := rand.New(rand.NewPCG(c.o.Seed, 2))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		t := c.w.tenants[rng.IntN(len(c.w.tenants))]
		p := t.people[rng.IntN(len(t.people))]
		field := "Title"
		if t.provider == hubspot {
			field = "jobtitle"
		}
		value := "Title " + strconv.Itoa(n)
		// Not cut off at the end: the CRM would have it, and we would not know.
		if _, err := c.sim.write(context.WithoutCancel(ctx), t, p.id, map[string]string{field: value}); err == nil {
			c.titles[t.name+"/"+p.id] = value
		}
	}
}

// settle waits until the CRMs hold every acknowledged call in its newest revision.
func (c *crashTest) settle(ctx context.Context, rep *CrashReport) error {
	deadline := time.Now().Add(4 * time.Minute)
	for {
		v := Verdict{}
		if err := count(ctx, c.sim, c.w, c.wanted, &v); err != nil {
			return err
		}
		stale, err := c.stale(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.o.Out, "%d calls, %d not in a CRM yet, %d in an old revision, %d duplicated\n", v.Calls, v.Lost, len(stale), v.Duplicated)
		if v.Lost == 0 && len(stale) == 0 {
			break
		}
		if time.Now().After(deadline) {
			rep.Note = "after 4 minutes some calls are still not in a CRM, or not as they are now"
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
	return nil
}

// judge counts, compares sync.contacts with the CRMs, and runs the journal again.
func (c *crashTest) judge(ctx context.Context, rep *CrashReport) error {
	rep.Requests = map[string]int{}
	rep.Edits = len(c.titles)
	deadline := time.Now().Add(2 * time.Minute)
	for {
		disagree, err := c.disagreements(ctx)
		if err != nil {
			return err
		}
		rep.Disagree = disagree
		rep.EditsSeen = rep.Edits - len(disagree)
		if len(disagree) == 0 || time.Now().After(deadline) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
	for _, r := range c.runs {
		st, err := c.status(ctx, r)
		if err != nil {
			return err
		}
		rep.RestoredFull += st.RestoredFull
		rep.RestoredTail += st.RestoredTail
	}
	rep.Believers, rep.FailoverMS = c.watch.report()
	for _, t := range c.w.tenants {
		counts, err := c.sim.requests(ctx, t)
		if err != nil {
			return err
		}
		for k, n := range counts {
			rep.Requests[t.provider+"/"+k] += n
		}
	}
	if err := count(ctx, c.sim, c.w, c.wanted, &rep.Verdict); err != nil {
		return err
	}
	for _, r := range c.runs {
		c.procs[r.name].stop(20 * time.Second)
	}
	var err error
	if rep.Order, err = c.order(ctx); err != nil {
		return err
	}
	if rep.Refused, err = c.refused(ctx); err != nil {
		return err
	}
	rep.DeadLetters = len(rep.Refused)
	out, err := output(ctx, c.o.Binary, "replay", "-c", c.runs[0].cfg)
	rep.Replay = strings.TrimSpace(out)
	if err != nil {
		rep.Note = strings.TrimSpace(rep.Note + " the replay differs: " + err.Error())
	}
	return nil
}

// disagreements lists the persons whose title on sync.contacts is not what the CRM
// was last told.
func (c *crashTest) disagreements(ctx context.Context) ([]string, error) {
	have, err := c.contacts(ctx)
	if err != nil {
		return nil, err
	}
	bad := []string{}
	for k, want := range c.titles {
		if have[k] != want {
			bad = append(bad, fmt.Sprintf("%s: %q, the CRM has %q", k, have[k], want))
		}
	}
	return bad, nil
}

// contacts reads sync.contacts as a data team does: the newest record per key.
func (c *crashTest) contacts(ctx context.Context) (map[string]string, error) {
	titles := make(map[string]string)
	return titles, c.read(ctx, schemas.TopicSyncContacts, func(v any) {
		sc, ok := v.(*schemas.SyncContact)
		if !ok {
			return
		}
		for _, l := range sc.Links {
			for _, f := range sc.Fields {
				if f.Name == "title" && f.Value != nil {
					titles[sc.Tenant+"/"+l.ID] = *f.Value
				}
			}
		}
	})
}

// refused lists what became a dead letter.
func (c *crashTest) refused(ctx context.Context) ([]string, error) {
	dead := []string{}
	err := c.read(ctx, schemas.TopicDeadLetters, func(v any) {
		if d, ok := v.(*schemas.DeadLetter); ok {
			dead = append(dead, fmt.Sprintf("%s %s: %s: %s", d.Tenant, d.RecordKey, d.Reason, d.Message))
		}
	})
	return dead, err
}

// read reads a topic to its end. Everything that is there comes at once; a second
// without records is the end.
func (c *crashTest) read(ctx context.Context, topic string, take func(v any)) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.broker()), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for {
		pctx, cancel := context.WithTimeout(ctx, time.Second)
		fs := cl.PollFetches(pctx)
		cancel()
		if fs.NumRecords() == 0 {
			return ctx.Err()
		}
		for _, r := range fs.Records() {
			if v, err := c.codec.Decode(ctx, r.Topic, r.Value); err == nil {
				take(v)
			}
		}
	}
}
