package demo

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/crmstream/crmstream/cmd/crmstream/app"
	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/connectors/dialer"
	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/pipeline/run/embedded"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
)

var (
	tornSubsets = flag.Int("torn.subsets", 12, "commits that reach a part of their partitions alone")
	tornSeed    = flag.Uint64("torn.seed", 1, "seed of the commits and of the parts")
	// What was decided and perhaps sent is repeated at once, and what follows it, links in
	// HubSpot's case, rests until the first is over (P6): a minute for each such commit.
	tornSlow = flag.Bool("torn.slow", false, "also commits whose requests to HubSpot are known to the state alone")
)

const tornPartitions = 4

// Commits that reached any part of their partitions, on a whole process with both
// CRMs: after each unclean boot it goes on as if they had been whole. Each call is in
// its CRM once, and every sync topic says what it says where nothing was torn.
func TestTornCommitsOfAWholeProcess(t *testing.T) {
	torn := newTornRun(t)
	steps := 0
	for rng := rand.New(rand.NewPCG(*tornSeed, 7)); torn.count() < *tornSubsets; steps++ {
		if steps > 4**tornSubsets {
			t.Fatalf("%d commits of %d steps were torn", torn.count(), steps)
		}
		torn.tear(rng)
		torn.step(steps)
	}
	whole := newTornRun(t)
	whole.rests = torn.rests
	for i := range steps {
		whole.step(i)
	}
	got, want := torn.finish(), whole.finish()
	t.Logf("%d commits torn in %d steps: %s", torn.count(), steps, strings.Join(torn.parts, "; "))
	for topic := range want {
		if d := cmp.Diff(want[topic], got[topic]); d != "" {
			t.Errorf("%s (-nothing torn +torn, again with -torn.seed %d):\n%s", topic, *tornSeed, d)
		}
	}
}

// tornRun is a broker, two CRMs and a pipeline whose commits can be torn.
type tornRun struct {
	t     *testing.T
	ctx   context.Context
	c     *kfake.Cluster
	cl    *kgo.Client // of the test
	codec *registry.Codec
	cfg   *config.Config
	w     *world
	sim   simClient
	sims  *simulators
	boot  int64
	end   context.CancelFunc // of the process
	ended chan error
	sent  map[string]int64 // tenant/call → revision
	calls []dialer.Call
	title map[string]string
	read  *reader
	// Of the commit that is to be torn: it was reached, and may go on.
	reached, goOn chan struct{}
	since         time.Time // the test has seen it

	mu    sync.Mutex
	torn  int
	parts []string                  // what the torn commits reached
	wrote map[string]kadm.TopicsSet // by transactional id: partitions of the open transaction
	topic map[[16]byte]string
	armed *tearing
	now   int          // the step
	rests map[int]bool // steps whose calls wait for a minute before they take other content
}

func newTornRun(t *testing.T) *tornRun {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	r := &tornRun{t: t, ctx: ctx, rests: map[int]bool{}, sent: map[string]int64{}, title: map[string]string{}, wrote: map[string]kadm.TopicsSet{}, topic: map[[16]byte]string{}, sim: simClient{&http.Client{Timeout: 30 * time.Second}}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	r.c, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	must(err)
	t.Cleanup(r.c.Close)
	r.cl, err = kgo.NewClient(append(dialer.ClientOpts(), kgo.SeedBrokers(r.c.ListenAddrs()...))...)
	must(err)
	t.Cleanup(r.cl.Close)
	must(run.EnsureTopics(ctx, r.cl, tornPartitions, 1))
	topics, err := kadm.NewClient(r.cl).ListTopics(ctx)
	must(err)
	for _, d := range topics {
		r.topic[d.ID] = d.Topic
	}
	reg, err := registry.NewServer(ctx, registry.ServerConfig{Brokers: r.c.ListenAddrs(), Logger: slog.New(slog.DiscardHandler)})
	must(err)
	web := httptest.NewServer(reg.Handler())
	t.Cleanup(func() { web.Close(); reg.Close() })
	r.codec = registry.NewCodec(web.URL)
	must(r.codec.Register(ctx))
	dir := t.TempDir()
	r.w, err = newWorld(dir, 2, false)
	must(err)
	r.sims, err = startSimulators(filepath.Join(dir, "simulators"), "127.0.0.1:0", "127.0.0.1:0", r.w)
	must(err)
	t.Cleanup(func() { r.sims.Close() })
	r.w.tenants[0].url, r.w.tenants[1].url = r.sims.sfURL, r.sims.hsURL
	l, err := net.Listen("tcp", "127.0.0.1:0") // the webhooks' address, kept over restarts
	must(err)
	r.cfg = config.Default()
	r.cfg.Data = filepath.Join(dir, "pipeline")
	r.cfg.Kafka.Brokers, r.cfg.Kafka.Registry, r.cfg.Kafka.Partitions = r.c.ListenAddrs(), web.URL, tornPartitions
	r.cfg.HTTP.Listen = l.Addr().String()
	r.cfg.HTTP.PublicURL = "http://" + r.cfg.HTTP.Listen
	r.cfg.Servers = map[string]string{salesforce: r.sims.sfURL, hubspot: r.sims.hsURL}
	r.cfg.Webhooks = map[string]map[string]string{hubspot: {fmt.Sprint(appID): r.w.secretRef}}
	must(l.Close())
	must(r.w.populate(ctx, r.sim, r.cfg.HTTP.PublicURL))
	r.watch()
	r.commits()
	r.read = newReader(r)
	p := r.start(true)
	must(r.w.apply(ctx, r.cfg.Servers, p, r.c.ListenAddrs()[0]))
	r.until("the CRMs' people", func() bool {
		return len(r.read.last[schemas.TopicSyncContacts]) == len(r.w.tenants)*peoplePerTenant
	})
	t.Cleanup(r.stop)
	return r
}

// start makes a boot known, as the embedded broker does, and starts the process.
func (r *tornRun) start(clean bool) *app.Process {
	r.t.Helper()
	r.boot++
	if _, err := kadm.NewClient(r.cl).CreateTopic(r.ctx, 1, 1, nil, schemas.TopicBoot); err != nil && r.boot == 1 {
		r.t.Fatal(err)
	}
	v, err := json.Marshal(embedded.Boot{Boot: r.boot, Clean: clean})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.cl.ProduceSync(r.ctx, &kgo.Record{Topic: schemas.TopicBoot, Key: []byte("boot"), Value: v}).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
	p, err := app.Start(r.ctx, r.cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, end := context.WithCancel(r.ctx)
	r.end, r.ended = end, make(chan error, 1)
	go func() {
		err := p.Run(ctx)
		if cerr := p.Close(ctx); err == nil {
			err = cerr
		}
		r.ended <- err
	}()
	return p
}

func (r *tornRun) stop() {
	if r.end == nil {
		return
	}
	r.end()
	if err := <-r.ended; err != nil {
		r.t.Logf("the process ended: %v", err)
	}
	r.end = nil
}

// watch notes which partitions each open transaction has written to.
func (r *tornRun) watch() {
	r.c.ControlKey(int16(kmsg.Produce), func(q kmsg.Request) (kmsg.Response, error, bool) {
		r.c.KeepControl()
		req := q.(*kmsg.ProduceRequest)
		if req.TransactionID == nil {
			return nil, nil, false
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		set := r.wrote[*req.TransactionID]
		if set == nil {
			set = make(kadm.TopicsSet)
			r.wrote[*req.TransactionID] = set
		}
		for _, t := range req.Topics {
			name := t.Topic
			if name == "" {
				name = r.topic[t.TopicID]
			}
			for _, p := range t.Partitions {
				set.Add(name, p.Partition)
			}
		}
		return nil, nil, false
	})
}

// tear makes one of the next commits reach a part of its partitions alone, not the
// group's offsets, and the process stop in it. The broker comes back as after a crash.
func (r *tornRun) tear(rng *rand.Rand) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.armed = &tearing{skip: rng.IntN(8), bits: rng.Uint64(), stop: r.end, reached: make(chan struct{}), goOn: make(chan struct{})}
	r.reached, r.goOn = r.armed.reached, r.armed.goOn
}

func (r *tornRun) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.torn
}

// tearing is a commit that will be torn.
type tearing struct {
	skip int    // commits before it
	bits uint64 // which of its partitions it reaches
	stop func() // ends the process, and does not wait
	// reached is closed in the commit, which goes on when goOn is closed.
	reached, goOn chan struct{}
}

// commits watches the ends of transactions.
func (r *tornRun) commits() {
	r.c.ControlKey(int16(kmsg.EndTxn), func(q kmsg.Request) (kmsg.Response, error, bool) {
		r.c.KeepControl()
		req := q.(*kmsg.EndTxnRequest)
		r.mu.Lock()
		set, tear := r.wrote[req.TransactionalID], r.armed
		delete(r.wrote, req.TransactionalID)
		if tear == nil || !req.Commit || tear.skip > 0 {
			if tear != nil && req.Commit {
				tear.skip--
			}
			r.mu.Unlock()
			return nil, nil, false
		}
		r.armed = nil
		part := make(kadm.TopicsSet)
		var reached []string
		n := 0
		for _, t := range set.Sorted() {
			for _, p := range t.Partitions {
				rests := t.Topic == schemas.TopicChangelog && set.Lookup(schemas.TopicCRMCommands, p)
				if tear.bits&(1<<(n%64)) != 0 && (*tornSlow || !rests || p != schemas.PartitionOf(r.w.tenants[1].name, tornPartitions)) {
					r.rests[r.now] = r.rests[r.now] || rests
					part.Add(t.Topic, p)
					reached = append(reached, fmt.Sprintf("%s-%d", t.Topic, p))
				}
				n++
			}
		}
		r.torn++
		r.parts = append(r.parts, fmt.Sprintf("%d of %d (%s)", len(reached), n, strings.Join(reached, " ")))
		r.mu.Unlock()
		r.c.SleepControl(func() {
			close(tear.reached)
			<-tear.goOn
			if len(part) > 0 {
				if _, err := kadm.NewClient(r.cl).WriteTxnMarkers(r.ctx, kadm.TxnMarkers{ProducerID: req.ProducerID, ProducerEpoch: req.ProducerEpoch, Commit: true, Topics: part}); err != nil {
					r.t.Error(err)
				}
			}
			tear.stop() // before it has an answer
		})
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = kerr.InvalidProducerEpoch.Code
		return resp, nil, true
	})
}

// step sends calls, a revision and what is no call, edits a record of each CRM, and
// waits until all of it has arrived. If the process was stopped in it, it is started again.
func (r *tornRun) step(n int) {
	r.t.Helper()
	r.mu.Lock()
	r.now = n
	r.mu.Unlock()
	var recs []*kgo.Record
	add := func(c dialer.Call) {
		rec, err := dialer.Record(r.codec, c)
		if err != nil {
			r.t.Fatal(err)
		}
		recs = append(recs, rec)
		r.sent[c.Tenant+"/"+c.Event.CallID] = c.Event.Revision
	}
	g := dialer.NewGenerator(uint64(n))
	for i, t := range r.w.tenants {
		for j := range 2 {
			c := g.Next(t.name, fmt.Sprintf("call-%d-%d", n, j), t.people[(2*n+j)%len(t.people)].phone, rep, time.Now().Truncate(time.Hour))
			r.calls = append(r.calls, c)
			add(c)
		}
		if n > 0 && (*tornSlow || !r.rests[n-1]) {
			old := &r.calls[len(r.calls)-2*len(r.w.tenants)-2]
			old.Event.Revision++
			notes := fmt.Sprint("Written in step ", n)
			old.Event.Notes = &notes
			add(*old)
		}
		if n%3 == i {
			recs = append(recs, &kgo.Record{Topic: schemas.TopicDialerCalls, Key: []byte(t.name), Value: fmt.Append(nil, "no call ", n)})
		}
	}
	if err := r.cl.ProduceSync(r.ctx, recs...).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
	for _, t := range r.w.tenants {
		p, field, value := t.people[n%len(t.people)], "Title", fmt.Sprint("Title ", n)
		if t.provider == hubspot {
			field = "jobtitle"
		}
		if _, err := r.sim.write(r.ctx, t, p.id, map[string]string{field: value}); err != nil {
			r.t.Fatal(err)
		}
		r.title[t.name+"/"+p.id] = value
	}
	r.until(fmt.Sprint("all of step ", n), func() bool {
		select {
		case <-r.reached:
			// The answers of what has left are on their topic before the process stops: what
			// was not answered would rest for a minute.
			if r.since.IsZero() {
				r.since = time.Now()
			}
			if r.read.answered() || time.Since(r.since) > time.Second {
				close(r.goOn)
				r.reached, r.since = nil, time.Time{}
			}
			return false
		case err := <-r.ended:
			r.t.Logf("stopped in step %d: %v", n, err)
			r.end()
			r.fence()
			r.read.known = len(r.read.all[schemas.TopicCRMCommands])
			r.start(false)
		default:
		}
		return r.settled()
	})
}

// fence ends the transaction that was left open, as the embedded broker's start does.
func (r *tornRun) fence() {
	open, err := kadm.NewClient(r.cl).ListTransactions(r.ctx, nil, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, id := range open.TransactionalIDs() {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = &id, 10_000
		if resp, err := req.RequestWith(r.ctx, r.cl); err != nil || resp.ErrorCode != 0 {
			r.t.Fatal(resp, err)
		}
	}
}

func (r *tornRun) settled() bool {
	for key, revision := range r.sent {
		c, ok := r.read.last[schemas.TopicSyncCalls][key].(*schemas.SyncCall)
		if !ok || c.Revision != revision || c.Status != schemas.StatusSynced {
			return false
		}
	}
	seen := make(map[string]string)
	for _, v := range r.read.last[schemas.TopicSyncContacts] {
		sc := v.(*schemas.SyncContact)
		for _, f := range sc.Fields {
			if f.Name == "title" && f.Value != nil {
				for _, l := range sc.Links {
					seen[sc.Tenant+"/"+l.ID] = *f.Value
				}
			}
		}
	}
	for key, value := range r.title {
		if seen[key] != value {
			return false
		}
	}
	return true
}

// until reads until ok.
func (r *tornRun) until(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(100 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s did not come; again with -torn.seed %d; torn: %s", what, *tornSeed, strings.Join(r.parts, "; "))
		}
		r.read.poll(20 * time.Millisecond)
	}
}

// finish ends the run, counts in the CRMs, and returns what each topic says, without
// what differs from run to run.
func (r *tornRun) finish() map[string][]string {
	r.t.Helper()
	r.stop()
	for range 3 {
		r.read.poll(100 * time.Millisecond)
	}
	var v Verdict
	if err := count(r.ctx, r.sim, r.w, r.sent, &v); err != nil {
		r.t.Fatal(err)
	}
	if v.Calls != len(r.sent) || v.Lost != 0 || v.Duplicated != 0 {
		r.t.Errorf("calls in the CRMs: %+v", v)
	}
	names := r.names()
	out := make(map[string][]string)
	for topic, last := range r.read.last {
		for key, v := range last {
			out[topic] = append(out[topic], names.text(key, v))
		}
		sort.Strings(out[topic])
	}
	for topic, all := range r.read.all {
		if topic == schemas.TopicCRMCommands || topic == schemas.TopicCRMResults {
			continue // which requests are made depends on the moments
		}
		for _, x := range all {
			if c, ok := x.value.(*schemas.FieldChange); ok && c.Field == "owner_email" {
				continue // whether an owner is known depends on what was read first, users or people
			}
			out[topic] = append(out[topic], names.text(x.key, x.value))
		}
		sort.Strings(out[topic])
	}
	r.commands()
	return out
}

// commands checks the log of what was asked of the CRMs: every request that has an
// answer stands there, once as it was decided.
func (r *tornRun) commands() {
	r.t.Helper()
	asked := make(map[string]bool)
	for _, x := range r.read.all[schemas.TopicCRMCommands] {
		b, err := json.Marshal(x.value)
		if err != nil {
			r.t.Fatal(err)
		}
		if asked[string(b)] {
			r.t.Errorf("asked for twice: %s", b)
		}
		asked[string(b)], asked[x.value.(*schemas.Attempt).ID] = true, true
	}
	for _, x := range r.read.all[schemas.TopicCRMResults] {
		if res := x.value.(*schemas.AttemptResult); !asked[res.AttemptID] {
			r.t.Errorf("attempt %s is answered, and nobody was shown that it was asked for: %+v", res.AttemptID, res)
		}
	}
}
