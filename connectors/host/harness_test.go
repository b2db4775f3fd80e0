package host

import (
	"context"
	"fmt"
	"net/http"
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
	close  func()
	urls   []string // under which deliveries came

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

func (f *fake) Receive(r *http.Request, body []byte, url, secret string, _ time.Time) ([]connectors.WebhookEvent, error) {
	f.mu.Lock()
	f.urls = append(f.urls, url)
	f.mu.Unlock()
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
	if c.f.close != nil {
		c.f.close()
	}
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
	h, err := New(Config{Providers: []connectors.Provider{f}, Brokers: []string{b.Addr()}, Codec: codec, Partitions: testN, PublicURL: "https://hooks.example:8443/crm/",
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
