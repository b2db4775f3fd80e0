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
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

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

// After Disown nothing more is taken, the connection is closed at once, and what has
// left still gives its result.
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
	if f.closed != 1 {
		t.Error("the connection is still open")
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

// What waits for its moment when its partition, its account or its configuration goes
// is never sent, and says why; what is on its way is answered. A panic in Close costs
// nothing.
func TestWaitingAttemptsAreCalledBack(t *testing.T) {
	for code, end := range map[string]func(h *harness){
		CodeMoved:          func(h *harness) { h.Disown(1) },
		CodeAccountRemoved: func(h *harness) { h.Do(1, []pipeline.Effect{pipeline.Unwatch{Tenant: "acme", Provider: "fake"}}) },
		CodeAccountChanged: func(h *harness) {
			w := watch("acme")
			w.Account.Settings = []schemas.Field{schemas.Text("a", "b")}
			h.Do(1, []pipeline.Effect{w})
		},
	} {
		t.Run(code, func(t *testing.T) {
			var served atomic.Int32
			begun, release := make(chan struct{}), make(chan struct{})
			web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				served.Add(1)
				close(begun)
				<-release
			}))
			defer web.Close()
			budget := rest.New(rest.Config{Base: web.URL, InFlight: 1}) // the second waits for the first
			var waiting sync.WaitGroup
			waiting.Add(4)
			f := &fake{close: func() { budget.Close(); panic("asked to") }, do: func(ctx context.Context, at *schemas.Attempt, _ connectors.Emit) connectors.Answer {
				waiting.Done()
				_, outcome, err := budget.Do(ctx, time.Now().Add(time.Hour), &rest.Request{Method: http.MethodPost, Path: "/"})
				a := sent(at)
				if err != nil {
					a.Result.Error = rest.ClassOf(err)
					a.Result.Items[0].Outcome, a.Result.Items[0].Error = outcome, a.Result.Error
				}
				return a
			}}
			h := newHarness(t, f)
			h.Own(1)
			h.Do(1, []pipeline.Effect{watch("acme"), pipeline.Start{Attempt: attempt("1-0", "acme", 1)}})
			<-begun
			for i := range 3 {
				h.Do(1, []pipeline.Effect{pipeline.Start{Attempt: attempt(fmt.Sprint("1-", i+1), "acme", 1)}})
			}
			waiting.Wait()
			end(h)
			for i := range 3 {
				r := h.result(fmt.Sprint("1-", i+1))
				if r.Error != schemas.ErrAborted || r.Code != code || r.Items[0].Outcome != schemas.NotSent || r.Items[0].Code != code {
					t.Errorf("result: %+v", r)
				}
			}
			if code == CodeAccountRemoved { // and what is handed over after it
				h.Do(1, []pipeline.Effect{pipeline.Start{Attempt: attempt("1-9", "acme", 1)}})
				if r := h.result("1-9"); r.Error != schemas.ErrAborted || r.Code != code || r.Items[0].Outcome != schemas.NotSent {
					t.Errorf("result: %+v", r)
				}
			}
			close(release)
			if r := h.result("1-0"); r.Error != "" || r.Items[0].Outcome != schemas.Sent {
				t.Errorf("what had left: %+v", r)
			}
			if n := served.Load(); n != 1 {
				t.Errorf("%d requests left", n)
			}
		})
	}
}

type classed struct{ class string }

func (c classed) Error() string      { return c.class }
func (c classed) ErrorClass() string { return c.class }

// A stream that fails rests longer each time, and longest where only a person can
// mend it.
func TestStreamPause(t *testing.T) {
	for _, c := range []struct {
		failures int
		err      error
		want     time.Duration
	}{
		{1, errors.New("x"), 500 * time.Millisecond}, {4, nil, 4 * time.Second}, {1000, classed{schemas.ErrTransient}, 30 * time.Second},
		{1, classed{schemas.ErrAuth}, 30 * time.Second}, {3, fmt.Errorf("stream: %w", classed{schemas.ErrForbidden}), 2 * time.Minute}, {1000, classed{schemas.ErrAuth}, 15 * time.Minute},
	} {
		if got := streamPause(c.failures, c.err); got != c.want {
			t.Errorf("%d times %v: %v, want %v", c.failures, c.err, got, c.want)
		}
	}
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
	f := new(fake)
	h := newHarness(t, f)
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
		{"/webhooks/fake/app?a=%3F&b=c+d", "acct", "s", http.StatusNoContent},
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
	// The address that is verified is the one that the sender was given.
	if want := "https://hooks.example:8443/crm/webhooks/fake/app?a=%3F&b=c+d"; f.urls[0] != want {
		t.Errorf("came under %s, want %s", f.urls[0], want)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
