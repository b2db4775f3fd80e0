package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/pipeline/run/embedded"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/schemas/registry"
)

const (
	testN   = 4
	patient = 20 * time.Second
)

// fake is a provider and its connections; what Do and Stream do is the test's.
type fake struct {
	do     func(ctx context.Context, at *schemas.Attempt, emit connectors.Emit) connectors.Answer
	stream func(ctx context.Context, epoch int64, cursor string, emit connectors.Emit) error
	open   func()

	mu     sync.Mutex
	closed int
}

func (f *fake) Name() string                               { return "fake" }
func (f *fake) Profile() *profile.Profile                  { return &profile.Profile{Provider: "fake"} }
func (f *fake) Check(schemas.Account) []connectors.Problem { return nil }

func (f *fake) Open(connectors.Env, string, schemas.Account) (connectors.Conn, error) {
	if f.open != nil {
		f.open()
	}
	if f.stream != nil {
		return streaming{f}, nil
	}
	return conn{f}, nil
}

func (f *fake) Receive(r *http.Request, body []byte, _, secret string, _ time.Time) ([]connectors.WebhookEvent, error) {
	if r.Header.Get("X-Secret") != secret {
		return nil, &connectors.WebhookError{Status: http.StatusUnauthorized, Why: "signature"}
	}
	return []connectors.WebhookEvent{{Account: string(body), Change: schemas.CRMChange{Object: "contacts", ID: "7", Hint: &schemas.Hint{Kind: "changed"}}}}, nil
}

type conn struct{ f *fake }

func (c conn) Do(ctx context.Context, at *schemas.Attempt, _ time.Time, emit connectors.Emit) connectors.Answer {
	return c.f.do(ctx, at, emit)
}

func (c conn) Close() error {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.f.closed++
	return nil
}

type streaming struct{ *fake }

func (s streaming) Do(ctx context.Context, at *schemas.Attempt, l time.Time, emit connectors.Emit) connectors.Answer {
	return conn{s.fake}.Do(ctx, at, l, emit)
}
func (s streaming) Close() error { return conn{s.fake}.Close() }
func (s streaming) Stream(ctx context.Context, epoch int64, cursor string, emit connectors.Emit) error {
	return s.stream(ctx, epoch, cursor, emit)
}

type harness struct {
	*Host
	t     *testing.T
	codec *registry.Codec
	cl    *kgo.Client // reads both topics
	got   []*kgo.Record
}

func newHarness(t *testing.T, f *fake) *harness {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patient)
	t.Cleanup(cancel)
	b, err := embedded.Start(ctx, embedded.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", RegistryListen: "127.0.0.1:0", Partitions: testN})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	codec := registry.NewCodec(b.RegistryURL())
	if err := codec.Register(ctx); err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	if err := run.EnsureTopics(ctx, cl, testN, 1); err != nil {
		t.Fatal(err)
	}
	cl.AddConsumeTopics(schemas.TopicCRMChanges, schemas.TopicCRMResults)
	h, err := New(Config{Providers: []connectors.Provider{f}, Brokers: []string{b.Addr()}, Codec: codec, Partitions: testN,
		WebhookSecret: func(_ context.Context, _, app string) (string, error) {
			if app != "app" {
				return "", ErrUnknownApp
			}
			return "s", nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	hn := &harness{Host: h, t: t, codec: codec, cl: cl}
	t.Cleanup(func() { hn.end() })
	return hn
}

func (h *harness) end() {
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		h.t.Error(err)
	}
}

// wait reads until ok says that what came is enough.
func (h *harness) wait(ok func(changes []*schemas.CRMChange, results []*schemas.AttemptResult) bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patient)
	defer cancel()
	for {
		var changes []*schemas.CRMChange
		var results []*schemas.AttemptResult
		for _, rec := range h.got {
			v, err := h.codec.Decode(ctx, rec.Topic, rec.Value)
			if err != nil {
				h.t.Fatal(err)
			}
			switch v := v.(type) {
			case *schemas.CRMChange:
				changes = append(changes, v)
			case *schemas.AttemptResult:
				results = append(results, v)
			}
		}
		if ok(changes, results) {
			return
		}
		h.got = append(h.got, h.cl.PollFetches(ctx).Records()...)
		if ctx.Err() != nil {
			h.t.Fatalf("only %d changes and %d results came", len(changes), len(results))
		}
	}
}

// result returns the one result of an attempt.
func (h *harness) result(id string) (r *schemas.AttemptResult) {
	h.t.Helper()
	h.wait(func(_ []*schemas.CRMChange, results []*schemas.AttemptResult) bool {
		r = nil
		for _, x := range results {
			if x.AttemptID == id {
				if r != nil {
					h.t.Fatalf("attempt %s has two results", id)
				}
				r = x
			}
		}
		return r != nil
	})
	return r
}

func watch(tenant string) pipeline.Watch {
	return pipeline.Watch{Tenant: tenant, Account: schemas.Account{Provider: "fake", ID: "acct"}, Epoch: 3, Cursor: "c0"}
}

func attempt(id, tenant string, items int) *schemas.Attempt {
	now := time.Now().UnixMilli()
	at := &schemas.Attempt{ID: id, Tenant: tenant, Provider: "fake", Account: "acct", Kind: schemas.KindWrite, Operation: schemas.OpUpsert, Object: "contacts",
		DecidedAt: now, LeaveBy: now + 10_000, OverBy: now + 55_000}
	for i := range items {
		at.Items = append(at.Items, schemas.AttemptItem{Key: fmt.Sprintf("k%d", i)})
	}
	return at
}

func sent(at *schemas.Attempt) connectors.Answer {
	var a connectors.Answer
	for _, it := range at.Items {
		a.Result.Items = append(a.Result.Items, schemas.ItemResult{Key: it.Key, Outcome: schemas.Sent})
	}
	return a
}

// Each attempt has one result, whole, whatever the connector does.
func TestOneResultPerAttempt(t *testing.T) {
	f := &fake{do: func(_ context.Context, at *schemas.Attempt, _ connectors.Emit) connectors.Answer {
		switch at.ID {
		case "0-panic":
			panic("asked to")
		case "0-short":
			return connectors.Answer{}
		}
		return sent(at)
	}}
	h := newHarness(t, f)
	h.Own(0)
	other := attempt("0-other", "acme", 2)
	other.Account = "another"
	h.Do(0, []pipeline.Effect{watch("acme"), pipeline.Start{Attempt: attempt("0-good", "acme", 2)}, pipeline.Start{Attempt: attempt("0-panic", "acme", 2)},
		pipeline.Start{Attempt: attempt("0-short", "acme", 2)}, pipeline.Start{Attempt: other}, pipeline.Start{Attempt: attempt("0-unwatched", "nobody", 2)}})
	for id, want := range map[string][2]string{
		"0-good": {schemas.Sent, ""}, "0-panic": {schemas.Unknown, schemas.ErrTransient}, "0-short": {schemas.Unknown, schemas.ErrTransient},
		"0-other": {schemas.NotSent, schemas.ErrAborted}, "0-unwatched": {schemas.NotSent, schemas.ErrAborted},
	} {
		r := h.result(id)
		if len(r.Items) != 2 || r.Error != want[1] || r.Items[0].Key != "k0" || r.Items[1].Outcome != want[0] {
			t.Errorf("%s: %+v, want %v", id, r, want)
		}
	}
}

// A page's marker stands after all its records, and its result after that (P3). A
// record that is too large does not stop the page (P5).
func TestMarkerFollowsRecords(t *testing.T) {
	big := strings.Repeat("x", schemas.RecordLimit)
	f := &fake{do: func(ctx context.Context, at *schemas.Attempt, emit connectors.Emit) connectors.Answer {
		for i := range 50 {
			c := &schemas.CRMChange{Object: "contacts", ID: fmt.Sprint(i), Record: &schemas.RecordRead{Fields: []schemas.Field{schemas.Text("a", "b")}}}
			if i == 25 {
				c.Record.Fields = append(c.Record.Fields, schemas.Text("notes", big))
			}
			if err := emit(ctx, c); err != nil {
				t.Error(err)
			}
		}
		return connectors.Answer{Page: &connectors.Page{Next: "n", Last: true}}
	}}
	h := newHarness(t, f)
	h.Own(1)
	at := attempt("1-1", "acme", 0)
	at.Kind, at.Page = schemas.KindPage, &schemas.PageRequest{Source: "contacts", Cursor: "from"}
	h.Do(1, []pipeline.Effect{watch("acme"), pipeline.Start{Attempt: at}})
	if r := h.result("1-1"); r.Error != "" {
		t.Errorf("result: %+v", r)
	}
	h.wait(func(cs []*schemas.CRMChange, _ []*schemas.AttemptResult) bool {
		if len(cs) < 51 {
			return false
		}
		for i, c := range cs[:50] {
			if c.ID != fmt.Sprint(i) || c.Record == nil || len(c.Record.Fields) != 1 || c.Account != "acct" {
				t.Errorf("record %d: %s with %+v", i, c.ID, c.Record)
			}
		}
		if m := cs[50].PageEnd; m == nil || m.From != "from" || m.To != "n" || m.AttemptID != "1-1" || !m.Last {
			t.Errorf("marker: %+v", cs[50])
		}
		return true
	})
}

// A connector that panics in Open costs its account alone.
func TestPanicInOpen(t *testing.T) {
	f := &fake{open: func() { panic("asked to") }}
	h := newHarness(t, f)
	h.Own(0)
	h.Do(0, []pipeline.Effect{watch("acme"), pipeline.Start{Attempt: attempt("0-1", "acme", 1)}})
	if r := h.result("0-1"); r.Error != schemas.ErrAuth || r.Items[0].Outcome != schemas.NotSent {
		t.Errorf("result: %+v", r)
	}
}

// After Disown nothing more is taken, what has left still gives its result, and the
// connection is closed once it has.
func TestDisown(t *testing.T) {
	left, release := make(chan struct{}), make(chan struct{})
	f := &fake{do: func(_ context.Context, at *schemas.Attempt, _ connectors.Emit) connectors.Answer {
		close(left)
		<-release
		return sent(at)
	}}
	h := newHarness(t, f)
	h.Do(2, []pipeline.Effect{watch("acme"), pipeline.Start{Attempt: attempt("2-0", "acme", 1)}}) // not owned: dropped
	h.Own(2)
	h.Do(2, []pipeline.Effect{watch("acme"), pipeline.Start{Attempt: attempt("2-1", "acme", 1)}})
	<-left
	h.Disown(2)
	h.Do(2, []pipeline.Effect{pipeline.Start{Attempt: attempt("2-2", "acme", 1)}})
	f.mu.Lock()
	if f.closed != 0 {
		t.Error("the connection was closed under a request")
	}
	f.mu.Unlock()
	close(release)
	if r := h.result("2-1"); r.Items[0].Outcome != schemas.Sent {
		t.Errorf("result: %+v", r)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	if err := h.Close(ctx); err != nil { // waits for all that runs
		t.Fatal(err)
	}
	if f.closed != 1 {
		t.Errorf("the connection was closed %d times", f.closed)
	}
	h.wait(func(_ []*schemas.CRMChange, results []*schemas.AttemptResult) bool { return len(results) == 1 })
}

// A stream begins at the state's cursor, and after a failure, a panic too, at the
// last event that Kafka has.
func TestStreamGoesOn(t *testing.T) {
	var mu sync.Mutex
	var from []string
	f := &fake{stream: func(ctx context.Context, epoch int64, cursor string, emit connectors.Emit) error {
		mu.Lock()
		from = append(from, fmt.Sprint(epoch, cursor))
		n := len(from)
		mu.Unlock()
		if n > 3 {
			<-ctx.Done()
			return ctx.Err()
		}
		to := fmt.Sprintf("c%d", n)
		if err := emit(ctx, &schemas.CRMChange{Object: "Lead", ID: to, Stream: &schemas.StreamEvent{Epoch: epoch, From: cursor, To: to}}); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
		if n == 2 {
			panic("asked to")
		}
		return errors.New("the connection broke")
	}}
	h := newHarness(t, f)
	h.Own(0)
	h.Do(0, []pipeline.Effect{watch("acme")})
	h.Do(0, []pipeline.Effect{watch("acme")}) // the same account: the stream goes on
	h.wait(func(cs []*schemas.CRMChange, _ []*schemas.AttemptResult) bool { return len(cs) == 3 })
	h.end()
	mu.Lock()
	defer mu.Unlock()
	for i, want := range []string{"3c0", "3c1", "3c2"} {
		if from[i] != want {
			t.Fatalf("the stream began at %q", from)
		}
	}
}

// Webhooks: 503 before the tenants are known, 404 for what is not here, 401 for a
// bad signature, 204 once Kafka has the events.
func TestWebhook(t *testing.T) {
	h := newHarness(t, &fake{})
	srv := httptest.NewServer(h.WebhookHandler())
	defer srv.Close()
	post := func(path, body, secret string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Secret", secret)
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		return res.StatusCode
	}
	if s := post("/webhooks/fake/app", "acct", "s"); s != http.StatusServiceUnavailable {
		t.Errorf("before the tenants are known: %d", s)
	}
	v, err := h.codec.Append(nil, schemas.TopicControlTenants, &schemas.TenantConfig{Tenant: "acme", Version: 1, Accounts: []schemas.Account{{Provider: "fake", ID: "acct"}}})
	if err != nil {
		t.Fatal(err)
	}
	p := schemas.PartitionOf("acme", testN)
	if err := h.cl.ProduceSync(t.Context(), &kgo.Record{Topic: schemas.TopicControlTenants, Partition: p, Key: []byte("acme"), Value: v}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	select {
	case <-h.directory.ready:
	case <-time.After(patient):
		t.Fatal("the tenants were not read")
	}
	for _, c := range []struct {
		path, body, secret string
		want               int
	}{
		{"/webhooks/fake/app", "acct", "s", http.StatusNoContent},
		{"/webhooks/fake/app", "acct", "forged", http.StatusUnauthorized},
		{"/webhooks/fake/app", "stranger", "s", http.StatusNotFound},
		{"/webhooks/fake/other", "acct", "s", http.StatusNotFound},
		{"/webhooks/nobody/app", "acct", "s", http.StatusNotFound},
		{"/webhooks/fake/app", strings.Repeat("x", maxWebhook+1), "s", http.StatusRequestEntityTooLarge},
	} {
		if got := post(c.path, c.body, c.secret); got != c.want {
			t.Errorf("%s with %.10q, %q: %d, want %d", c.path, c.body, c.secret, got, c.want)
		}
	}
	h.wait(func(cs []*schemas.CRMChange, _ []*schemas.AttemptResult) bool {
		if len(cs) == 0 {
			return false
		}
		if rec := h.got[0]; string(rec.Key) != "acme/fake/contacts/7" || rec.Partition != p || cs[0].Hint == nil || len(cs) != 1 {
			t.Errorf("%d events, the first: %s in partition %d", len(cs), rec.Key, rec.Partition)
		}
		return true
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
