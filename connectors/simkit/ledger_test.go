package simkit

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// crm is the least of a simulator: PUT /ID writes its body as the content of a record.
type crm struct {
	t      *testing.T
	ledger *Ledger
	faults *Faults
	web    *httptest.Server
	mu     sync.Mutex
	holds  map[string]string
}

func newCRM(t *testing.T) *crm {
	c := &crm{t: t, ledger: NewLedger(), faults: NewFaults(nil, func(s string) (string, bool) { return s, true }, nil), holds: map[string]string{}}
	done := make(chan struct{})
	c.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := Receive(r, MaxBody)
		var items []Item
		if r.Method == http.MethodPut {
			items = []Item{{Object: "Thing", Record: strings.TrimPrefix(r.URL.Path, "/"), Content: string(body)}}
		}
		r, _ = c.ledger.Begin(r, "a", items)
		c.faults.Serve(w, r, "a", done, func(w http.ResponseWriter) {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			c.mu.Lock()
			c.holds[r.URL.Path] = string(b)
			Writing(r).Applied(0, "")
			c.mu.Unlock()
			w.Header().Set("Seen", "yes")
			w.WriteHeader(http.StatusAccepted)
		}, func(w http.ResponseWriter, f Fault) { w.WriteHeader(f.Status) })
	}))
	t.Cleanup(func() { close(done); c.web.Close() })
	return c
}

func (c *crm) arm(f Fault) {
	c.t.Helper()
	if err := c.faults.Arm(f); err != nil {
		c.t.Fatal(err)
	}
}

// put is a client that waits so long for its answer; 0 status = none came.
func (c *crm) put(record, content string, patience time.Duration) int {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, c.web.URL+"/"+record, strings.NewReader(content))
	if err != nil {
		c.t.Fatal(err)
	}
	res, err := c.web.Client().Do(req)
	if err != nil {
		return 0
	}
	res.Body.Close()
	if res.Header.Get("Seen") == "" {
		c.t.Error("the held answer lost its headers")
	}
	return res.StatusCode
}

// until waits for the ledger to say so.
func (c *crm) until(what string, ok func([]Write) bool) {
	c.t.Helper()
	deadline, tick := time.After(10*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		ws, _ := c.ledger.Writes("a")
		if ok(ws) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			c.t.Fatalf("%s: %+v", what, ws)
		}
	}
}

const patient = time.Minute

// A held write stands at once, and its answer comes late; a late one stands only after
// its client has gone.
func TestHeldAndLateWrites(t *testing.T) {
	c := newCRM(t)
	c.arm(Fault{Kind: "hold", DelayMS: 50, Writes: true})
	answered := make(chan int)
	go func() { answered <- c.put("1", "a", patient) }()
	c.until("applied and not answered", func(ws []Write) bool { return len(ws) == 1 && ws[0].Applied > 0 && ws[0].Ended == 0 })
	if got := <-answered; got != http.StatusAccepted {
		t.Errorf("answered %d", got)
	}
	c.arm(Fault{Kind: "late", DelayMS: 20, Writes: true})
	if got := c.put("2", "a", 20*time.Millisecond); got != 0 {
		t.Errorf("a late write was answered with %d", got)
	}
	c.until("applied after its client had gone", func(ws []Write) bool {
		return len(ws) == 2 && ws[1].Ended > ws[1].Received && ws[1].Applied > ws[1].Ended && ws[1].Served > ws[1].Applied
	})
	c.arm(Fault{Kind: "hold", DelayMS: 3_600_000, Writes: true})
	if got := c.put("3", "a", 20*time.Millisecond); got != 0 {
		t.Errorf("answered %d", got)
	}
	c.until("ended by its client", func(ws []Write) bool { return len(ws) == 3 && ws[2].Applied > 0 && ws[2].Ended > 0 })
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holds["/2"] != "a" {
		t.Errorf("the late write holds %q: its body went with the client", c.holds["/2"])
	}
}

// The share that a fault strikes is the one that was asked for, and its seed chooses.
func TestAShareOfTheWrites(t *testing.T) {
	struck := func(seed uint64) (hit []int) {
		l := NewFaults(nil, nil, nil)
		if err := l.Arm(Fault{Kind: "hold", Count: -1, Writes: true, Share: 0.1, Seed: seed}); err != nil {
			t.Fatal(err)
		}
		ledger := NewLedger()
		for i := range 1000 {
			r := httptest.NewRequest(http.MethodPut, "/x", nil)
			if _, f := l.request(r, ""); f != nil {
				t.Fatal("it strikes what writes nothing")
			}
			r, _ = ledger.Begin(r, "", []Item{{Record: "1"}})
			if _, f := l.request(r, ""); f != nil {
				hit = append(hit, i)
			}
		}
		return hit
	}
	one := struck(1)
	if len(one) < 60 || len(one) > 140 {
		t.Errorf("%d of 1000, want about 100", len(one))
	}
	if !slices.Equal(one, struck(1)) || slices.Equal(one, struck(2)) {
		t.Error("the seed does not choose")
	}
	if err := NewFaults(nil, nil, nil).Arm(Fault{Kind: "hold", Share: 1.5}); err == nil {
		t.Error("a share of 1.5 was taken")
	}
}

// A client that keeps the writes of a record in order is found right, and each way to
// break it is found.
func TestTheJudgeSeesABrokenOrder(t *testing.T) {
	for _, tc := range []struct {
		name      string
		play      func(c *crm)
		open, out int
	}{
		{"one after the other", func(c *crm) { c.put("1", "a", patient); c.put("1", "b", patient) }, 0, 0},
		{"the same content twice at once", func(c *crm) {
			c.arm(Fault{Kind: "hold", DelayMS: 200})
			c.both(func() { c.put("1", "a", patient) }, func() { c.put("1", "a", patient) })
		}, 0, 0},
		{"two records at once", func(c *crm) {
			c.arm(Fault{Kind: "hold", DelayMS: 200})
			c.both(func() { c.put("1", "a", patient) }, func() { c.put("2", "b", patient) })
		}, 0, 0},
		{"the next content before the answer", func(c *crm) {
			c.arm(Fault{Kind: "hold", DelayMS: 200})
			c.both(func() { c.put("1", "a", patient) }, func() { c.put("1", "b", patient) })
		}, 1, 0},
		{"the next content before what may still be applied", func(c *crm) {
			c.arm(Fault{Kind: "late", DelayMS: 200})
			c.put("1", "a", 10*time.Millisecond)
			c.put("1", "b", patient)
			c.until("the late one", func(ws []Write) bool { return ws[0].Served > 0 })
		}, 1, 1},
		{"an old content again", func(c *crm) { c.put("1", "a", patient); c.put("1", "b", patient); c.put("1", "a", patient) }, 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCRM(t)
			tc.play(c)
			ws, _ := c.ledger.Writes("a")
			for _, rev := range []func(*Write) (int64, bool){nil, func(w *Write) (int64, bool) { return int64(w.Content[1]), true }} {
				if v := Judge(ws, rev); len(v.OpenTogether) != tc.open || len(v.OutOfOrder) != tc.out {
					t.Errorf("%d open together, want %d; %d out of order, want %d", len(v.OpenTogether), tc.open, len(v.OutOfOrder), tc.out)
				}
			}
		})
	}
}

// both runs second once the first has been received.
func (c *crm) both(first, second func()) {
	done := make(chan struct{})
	go func() { defer close(done); first() }()
	c.until("the first", func(ws []Write) bool { return len(ws) == 1 })
	second()
	<-done
}

// A record is one, whether a write knows it by its id or by what it is known by before.
func TestARecordIsOneUnderBothNames(t *testing.T) {
	l := NewLedger()
	begin := func(it Item, content string) *Request {
		it.Object, it.Content = "Task", content
		_, r := l.Begin(httptest.NewRequest(http.MethodPut, "/", nil), "a", []Item{it})
		return r
	}
	end := func(r *Request, record string) { r.Applied(0, record); r.Served(); r.Ended() }
	late := begin(Item{Identity: "X=1"}, "a")
	end(begin(Item{Identity: "X=1"}, "a"), "7")
	end(begin(Item{Record: "7"}, "b"), "")
	late.Served()
	late.Ended()
	end(begin(Item{Identity: "X=2"}, "c"), "8")
	none, again := begin(Item{}, "d"), begin(Item{}, "e") // two records without a name
	end(none, "9")
	end(again, "10")
	ws, _ := l.Writes("")
	v := Judge(ws, nil)
	if len(v.OpenTogether) != 1 || v.OpenTogether[0].First.Request != 1 || v.OpenTogether[0].Second.Request != 3 {
		t.Errorf("%+v", v.OpenTogether)
	}
}

// A full ledger drops the oldest and says so.
func TestAFullLedger(t *testing.T) {
	l := NewLedger()
	l.keep = 100
	for i := range 250 {
		l.Begin(httptest.NewRequest(http.MethodPut, "/", nil), "a", []Item{{Record: fmt.Sprint(i)}})
	}
	ws, dropped := l.Writes("a")
	if len(ws) < 100 || len(ws) > 110 || int(dropped)+len(ws) != 250 || ws[len(ws)-1].Record != "249" {
		t.Errorf("%d kept, %d dropped", len(ws), dropped)
	}
	if ws, _ = l.Writes("b"); len(ws) != 0 {
		t.Error("another account's")
	}
}
