package demo

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/cmd/crmstream/app"
	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/connectors/dialer"
	"github.com/crmstream/crmstream/pipeline/task"
	"github.com/crmstream/crmstream/schemas"
)

// loopRun is a whole process with both simulators, and one tenant whose people are in both.
type loopRun struct {
	t     *testing.T
	ctx   context.Context
	w     *world
	sim   simClient
	p     *app.Process
	cl    *kgo.Client
	last  map[string]*schemas.SyncContact
	calls map[string]*schemas.SyncCall
}

// endless is a number of writes that no play here needs: what goes beyond it never ends.
const endless = 60

func newLoopRun(t *testing.T, rules string, opts ...task.Option) *loopRun {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	r := &loopRun{t: t, ctx: ctx, sim: simClient{&http.Client{Timeout: 30 * time.Second}}, last: map[string]*schemas.SyncContact{}, calls: map[string]*schemas.SyncCall{}}
	must := r.must
	dir := t.TempDir()
	a, err := choose(true)
	must(err)
	r.w, err = newWorld(dir, 0, true)
	must(err)
	r.w.tenants = r.w.accounts("initech")
	r.w.tenants[0].rules += rules
	sims, err := startSimulators(filepath.Join(dir, "simulators"), a.Salesforce, a.HubSpot, r.w)
	must(err)
	t.Cleanup(func() { must(sims.Close()) })
	r.w.tenants[0].url, r.w.tenants[1].url = sims.sfURL, sims.hsURL
	must(r.w.populate(ctx, r.sim, "http://"+a.API))
	cfg := config.Default()
	cfg.Data = filepath.Join(dir, "pipeline")
	cfg.Embedded.Listen, cfg.Embedded.Registry, cfg.HTTP.Listen = a.Broker, a.Registry, a.API
	cfg.HTTP.PublicURL = "http://" + a.API
	cfg.Servers = map[string]string{salesforce: sims.sfURL, hubspot: sims.hsURL}
	cfg.Webhooks = map[string]map[string]string{hubspot: {fmt.Sprint(appID): r.w.secretRef}}
	r.p, err = app.Start(ctx, cfg, slog.New(slog.DiscardHandler), opts...)
	must(err)
	running, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.p.Run(running) }()
	t.Cleanup(func() {
		end()
		<-ended
		must(r.p.Close(context.Background()))
	})
	r.cl, err = kgo.NewClient(append(dialer.ClientOpts(), kgo.SeedBrokers(a.Broker), kgo.ConsumeTopics(schemas.TopicSyncContacts, schemas.TopicSyncCalls),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	must(err)
	t.Cleanup(r.cl.Close)
	must(r.w.apply(ctx, cfg.Servers, r.p, a.Broker))
	return r
}

func (r *loopRun) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// until reads the sync topics until done says so.
func (r *loopRun) until(what string, done func() bool) {
	r.t.Helper()
	for !done() {
		ctx, cancel := context.WithTimeout(r.ctx, 200*time.Millisecond)
		fs := r.cl.PollFetches(ctx)
		cancel()
		if r.ctx.Err() != nil {
			r.t.Fatalf("waiting for %s: %v", what, r.ctx.Err())
		}
		fs.EachRecord(func(rec *kgo.Record) {
			v, err := r.p.Codec().Decode(r.ctx, rec.Topic, rec.Value)
			r.must(err)
			switch v := v.(type) {
			case *schemas.SyncContact:
				r.last[v.PersonID] = v
			case *schemas.SyncCall:
				r.calls[v.CallID] = v
			}
		})
	}
}

// writes is how many requests changed persons, in both CRMs.
func (r *loopRun) writes() (n int) {
	for _, t := range r.w.tenants {
		counts, err := r.sim.requests(r.ctx, t)
		r.must(err)
		for _, kind := range []string{"collections", "batch_update", "update", "batch_upsert", "associations"} {
			n += counts[kind]
		}
	}
	return n
}

// rest waits until nothing is written any more; false: it never ends. It is at rest when a
// number of looks, each after what a poll brought, find nothing new.
func (r *loopRun) rest() bool {
	r.t.Helper()
	var was []int64
	same := 0
	r.until("rest", func() bool {
		n := r.writes()
		if n > endless {
			same = -1
			return true
		}
		if is := []int64{int64(n), r.p.Status().Records}; reflect.DeepEqual(is, was) {
			same++
		} else {
			was, same = is, 0
		}
		return same == 10
	})
	return same > 0
}

// state is what stands on all three sides, by record.
func (r *loopRun) state() map[string]string {
	r.t.Helper()
	out := map[string]string{}
	for _, t := range r.w.tenants {
		names := []string{"Email", "FirstName", "LastName", "Title", "Phone", "DoNotCall"}
		if t.provider == hubspot {
			names = []string{"email", "firstname", "lastname", "jobtitle", "phone"}
		}
		rows, err := r.sim.records(r.ctx, t, t.personObject())
		r.must(err)
		for _, row := range rows {
			var vs []string
			for _, n := range names {
				vs = append(vs, row[n])
			}
			out[t.provider+" "+strings.ToLower(row[names[0]])] = strings.Join(vs, "|")
		}
		object, _ := t.callObject()
		rows, err = r.sim.records(r.ctx, t, object)
		r.must(err)
		out[t.provider+" calls"] = fmt.Sprint(len(rows))
	}
	for _, c := range r.last {
		email, rest := "", fmt.Sprint(c.DoNotCall, c.Status, len(c.Links))
		for _, f := range c.Fields {
			if f.Value != nil && f.Name != "owner_email" { // whether it is known depends on which page came first
				rest += " " + f.Name + "=" + *f.Value
				if f.Name == "email" {
					email = *f.Value
				}
			}
		}
		out["sync.contacts "+email] = rest
	}
	for id, c := range r.calls {
		out["sync.calls "+id] = fmt.Sprint(c.Status, len(c.Logged))
	}
	return out
}

// play lets users of both CRMs and of the dialer edit, and a rep call.
func (r *loopRun) play() bool {
	r.until("the CRMs' people", func() bool {
		n := 0
		for _, c := range r.last {
			if len(c.Links) == 2 {
				n++
			}
		}
		return n == peoplePerTenant
	})
	if !r.rest() {
		return false
	}
	edit := func(t *tenant, n int, fields map[string]string) {
		_, err := r.sim.write(r.ctx, t, t.people[n].id, fields)
		r.must(err)
	}
	sf, hs := r.w.tenants[0], r.w.tenants[1]
	edit(sf, 0, map[string]string{"Title": "Buyer"})
	edit(hs, 1, map[string]string{"jobtitle": "Seller"})
	edit(sf, 2, map[string]string{"FirstName": "Cora", "Title": "Head"})
	if !r.rest() {
		return false
	}
	edit(hs, 0, map[string]string{"jobtitle": "Chief Buyer"})
	edit(sf, 1, map[string]string{"Title": "Chief Seller"})
	r.produce(schemas.TopicDialerContacts, &schemas.ContactChange{ContactID: "c3", ModifiedAt: time.Now().UnixMilli(), CRMLink: &schemas.Link{Provider: salesforce, Object: "Lead", ID: sf.people[3].id},
		Fields: []schemas.Field{schemas.Text("title", "By the dialer"), schemas.Text("do_not_call", "true")}})
	call := dialer.NewGenerator(1).Next("initech", "call-1", sf.people[4].phone, rep, time.Now())
	r.produce(schemas.TopicDialerCalls, &call.Event)
	r.until("the call", func() bool { c := r.calls["call-1"]; return c != nil && c.Status == schemas.StatusSynced })
	return r.rest()
}

func (r *loopRun) produce(topic string, v any) {
	r.t.Helper()
	value, err := r.p.Codec().Append(nil, topic, v)
	r.must(err)
	r.must(r.cl.ProduceSync(r.ctx, &kgo.Record{Topic: topic, Key: []byte("initech"), Value: value}).FirstErr())
}

// P7: with all that keeps echoes away switched off everything comes out the same on all
// three sides, and only the number of calls differs.
func TestLoopsEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("both simulators and whole processes: some ten seconds")
	}
	run := func(t *testing.T, opts ...task.Option) (state map[string]string, writes int) {
		r := newLoopRun(t, "", opts...)
		if !r.play() {
			t.Fatalf("after %d writes it goes on", r.writes())
		}
		return r.state(), r.writes()
	}
	var usual, heard map[string]string
	var few, many int
	t.Run("as it is", func(t *testing.T) { usual, few = run(t) })
	t.Run("with echoes", func(t *testing.T) { heard, many = run(t, task.WithEchoes()) })
	if d := cmp.Diff(usual, heard); d != "" {
		t.Errorf("(- as it is, + with echoes):\n%s", d)
	}
	if many <= few {
		t.Errorf("%d writes with echoes, %d as it is: nothing was switched off", many, few)
	}
	if v := usual["salesforce ann.ames.0@initech.example"]; !strings.Contains(v, "Chief Buyer") {
		t.Errorf("what was played does not show: %s", v)
	}
	t.Logf("%d writes as it is, %d with echoes", few, many)

	// What the test is worth: rules that go in a circle, and add something with each round,
	// go round and round, and that is seen.
	t.Run("rules in a circle", func(t *testing.T) {
		r := newLoopRun(t, `    title: off
    here: [{to: salesforce.Lead.Title, direction: inbound}, {to: hubspot.contacts.jobtitle, direction: outbound, transform: {custom: "value + '!'"}}]
    there: [{to: hubspot.contacts.jobtitle, direction: inbound}, {to: salesforce.Lead.Title, direction: outbound}]
`, task.WithEchoes())
		if rests := r.play(); rests && r.writes() <= many {
			t.Errorf("it came to rest after %d writes: nothing went round", r.writes())
		}
	})
}
