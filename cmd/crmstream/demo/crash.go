package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/cmd/crmstream/tenants"
	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/connectors/dialer"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
)

// CrashOptions say what to send and what to kill.
type CrashOptions struct {
	Binary             string // crmstream
	Dir                string
	Calls, Tenants     int
	Kills, BrokerKills int
	Rate               int
	Seed               uint64
	Out                io.Writer
}

// CrashReport is what was counted afterwards.
type CrashReport struct {
	Verdict
	Kills       int    `json:"kills"`
	BrokerKills int    `json:"broker_kills"`
	Seed        uint64 `json:"seed"`
	// Disagree lists persons whose title on sync.contacts is not the CRM's.
	Disagree []string `json:"disagree"`
	// Restores of the last pipeline process.
	RestoredFull int64  `json:"restored_full"`
	RestoredTail int64  `json:"restored_tail"`
	Replay       string `json:"replay"`
	Took         string `json:"took"`
}

// Good reports whether nothing is lost, doubled or in disagreement.
func (r *CrashReport) Good() bool {
	return r.Lost == 0 && r.Duplicated == 0 && len(r.Disagree) == 0 && r.Note == ""
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
	cfg    string
	mu     sync.Mutex
	wanted map[string]bool
	titles map[string]string // tenant/id → last title written
}

// Crash runs the test.
func Crash(ctx context.Context, o CrashOptions) (_ *CrashReport, err error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	c := &crashTest{o: o, procs: map[string]*child{}, wanted: map[string]bool{}, titles: map[string]string{}, sim: simClient{&http.Client{Timeout: 30 * time.Second}}}
	defer func() {
		for _, p := range c.procs {
			p.kill()
		}
	}()
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	defer c.cl.Close()
	rep := &CrashReport{Seed: o.Seed, Disagree: []string{}}
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

func (c *crashTest) start(ctx context.Context) error {
	var err error
	if c.a, err = choose(true); err != nil {
		return err
	}
	if c.w, err = newWorld(c.o.Dir, c.o.Tenants); err != nil {
		return err
	}
	for _, t := range c.w.tenants {
		t.url = "http://" + c.a.Salesforce
		if t.provider == hubspot {
			t.url = "http://" + c.a.HubSpot
		}
	}
	if err := writeJSON(filepath.Join(c.o.Dir, "orgs.json"), c.w.orgs()); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(c.o.Dir, "portals.json"), c.w.portals()); err != nil {
		return err
	}
	doc := map[string]any{
		"data":     filepath.Join(c.o.Dir, "pipeline"),
		"kafka":    map[string]any{"brokers": []string{c.a.Broker}, "registry": "http://" + c.a.Registry, "session": "4s"},
		"http":     map[string]any{"listen": c.a.API, "public_url": "http://" + c.a.API},
		"servers":  map[string]string{salesforce: "http://" + c.a.Salesforce, hubspot: "http://" + c.a.HubSpot},
		"webhooks": map[string]map[string]string{hubspot: {strconv.Itoa(appID): c.w.secretRef}},
		"log":      map[string]string{"level": "info"},
	}
	c.cfg = filepath.Join(c.o.Dir, "crmstream.yaml") // JSON is YAML
	if err := writeJSON(c.cfg, doc); err != nil {
		return err
	}
	for _, name := range []string{"broker", salesforce, hubspot} {
		if err := c.launch(ctx, name); err != nil {
			return err
		}
	}
	if err := c.w.populate(ctx, c.sim, "http://"+c.a.API); err != nil {
		return err
	}
	if err := c.launch(ctx, "run"); err != nil {
		return err
	}
	c.codec = registry.NewCodec("http://" + c.a.Registry)
	if err := c.codec.Register(ctx); err != nil {
		return err
	}
	if c.cl, err = kgo.NewClient(append(dialer.ClientOpts(), kgo.SeedBrokers(c.a.Broker))...); err != nil {
		return err
	}
	configs, err := config.Tenants("tenants", []byte(c.w.documents()), map[string]string{salesforce: "x", hubspot: "x"}, all.Providers())
	if err != nil {
		return err
	}
	tcl, err := kgo.NewClient(append(tenants.ClientOpts(), kgo.SeedBrokers(c.a.Broker))...)
	if err != nil {
		return err
	}
	defer tcl.Close()
	_, err = tenants.New(tcl, c.codec).Apply(ctx, configs)
	return err
}

// launch starts a process and waits until it answers.
func (c *crashTest) launch(ctx context.Context, name string) error {
	var args []string
	var addr string
	switch name {
	case "broker":
		args, addr = []string{"broker", "--data", filepath.Join(c.o.Dir, "broker"), "--listen", c.a.Broker, "--registry", c.a.Registry}, c.a.Registry
	case salesforce:
		args, addr = []string{"sim", salesforce, "--listen", c.a.Salesforce, "--data", filepath.Join(c.o.Dir, "sim-salesforce"), "--setup", filepath.Join(c.o.Dir, "orgs.json")}, c.a.Salesforce
	case hubspot:
		args, addr = []string{"sim", hubspot, "--listen", c.a.HubSpot, "--data", filepath.Join(c.o.Dir, "sim-hubspot"), "--setup", filepath.Join(c.o.Dir, "portals.json")}, c.a.HubSpot
	case "run":
		args, addr = []string{"run", "-c", c.cfg}, c.a.API
	}
	p, err := spawn(c.o.Binary, filepath.Join(c.o.Dir, name+".log"), args...)
	if err != nil {
		return err
	}
	c.procs[name] = p
	return p.answers(ctx, "http://"+addr+"/")
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
	killed := make(chan error, 1)
	go func() { killed <- c.killer(play, rep) }()
	err := c.calls(ctx)
	err = errors.Join(err, <-killed)
	stop()
	wg.Wait()
	return err
}

func (c *crashTest) calls(ctx context.Context) error {
	g := dialer.NewGenerator(c.o.Seed)
	rng := rand.New(rand.NewPCG(c.o.Seed, 1))
	tick := time.NewTicker(time.Second / time.Duration(c.o.Rate))
	defer tick.Stop()
	for n := 1; n <= c.o.Calls; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		t := c.w.tenants[rng.IntN(len(c.w.tenants))]
		p := t.people[rng.IntN(len(t.people))]
		id := "call-" + strconv.Itoa(n)
		rec, err := dialer.Record(c.codec, g.Next(t.name, id, p.phone, rep, time.Now()))
		if err != nil {
			return err
		}
		c.cl.Produce(ctx, rec, func(_ *kgo.Record, err error) {
			if err == nil { // acknowledged: from here on it must not be lost
				c.mu.Lock()
				c.wanted[t.name+"/"+id] = true
				c.mu.Unlock()
			}
		})
	}
	return c.cl.Flush(ctx)
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
		if _, err := c.sim.write(ctx, t, p.id, map[string]string{field: value}); err == nil {
			c.titles[t.name+"/"+p.id] = value
		}
	}
}

// killer kills at random moments spread over the time that the calls take.
func (c *crashTest) killer(ctx context.Context, rep *CrashReport) error {
	rng := rand.New(rand.NewPCG(c.o.Seed, 3))
	var what []string
	for range c.o.Kills {
		what = append(what, "run")
	}
	for range c.o.BrokerKills {
		what = append(what, "broker")
	}
	rng.Shuffle(len(what), func(i, j int) { what[i], what[j] = what[j], what[i] })
	total := time.Duration(c.o.Calls) * time.Second / time.Duration(c.o.Rate)
	for _, name := range what {
		mean := total / time.Duration(len(what)+1)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(mean/2 + rand.N(mean)):
		}
		c.procs[name].kill()
		if name == "broker" {
			rep.BrokerKills++
		} else {
			rep.Kills++
		}
		fmt.Fprintf(c.o.Out, "killed %s (%d of %d)\n", name, rep.Kills+rep.BrokerKills, len(what))
		if err := c.launch(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until the CRMs hold every acknowledged call.
func (c *crashTest) settle(ctx context.Context, rep *CrashReport) error {
	deadline := time.Now().Add(4 * time.Minute)
	for {
		v := Verdict{}
		if err := count(ctx, c.sim, c.w, c.wanted, &v); err != nil {
			return err
		}
		fmt.Fprintf(c.o.Out, "%d calls, %d not in a CRM yet, %d duplicated\n", v.Calls, v.Lost, v.Duplicated)
		if v.Lost == 0 {
			break
		}
		if time.Now().After(deadline) {
			rep.Note = "after 4 minutes some calls are still not in a CRM"
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
	var st struct {
		Full int64 `json:"restored_full"`
		Tail int64 `json:"restored_tail"`
	}
	if err := c.sim.call(ctx, http.MethodGet, "http://"+c.a.API+"/api/status", nil, &st); err != nil {
		return err
	}
	rep.RestoredFull, rep.RestoredTail = st.Full, st.Tail
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
	c.procs["run"].stop(20 * time.Second)
	out, err := output(ctx, c.o.Binary, "replay", "-c", c.cfg)
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
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.a.Broker), kgo.ConsumeTopics(schemas.TopicSyncContacts), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	titles := make(map[string]string)
	for {
		// Everything that is there comes at once; a second without records is the end.
		pctx, cancel := context.WithTimeout(ctx, time.Second)
		fs := cl.PollFetches(pctx)
		cancel()
		if fs.NumRecords() == 0 {
			return titles, ctx.Err()
		}
		for _, r := range fs.Records() {
			v, err := c.codec.Decode(ctx, r.Topic, r.Value)
			sc, ok := v.(*schemas.SyncContact)
			if err != nil || !ok {
				continue
			}
			for _, l := range sc.Links {
				for _, f := range sc.Fields {
					if f.Name == "title" && f.Value != nil {
						titles[sc.Tenant+"/"+l.ID] = *f.Value
					}
				}
			}
		}
	}
}
