package simkit

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is one armed misbehaviour. Every simulator has those of requests:
//
//	status             answered with Status, not applied
//	status_after_apply applied, then answered with Status
//	delay              served DelayMS late
//	drop               connection closed, not applied
//	drop_after_apply   applied, then closed without an answer
//	hold               applied at once, answered DelayMS late
//	late               carried out DelayMS after the client has given up and gone
//
// Each has kinds of its own beside them. Count is how often it strikes: 0 is once,
// below 0 is until it is disarmed. Account, Method, Path (a prefix) and Contains (a
// part of the path) narrow it. Faults are tried in the order in which they came;
// delays add up, of the others the first one wins.
type Fault struct {
	Kind     string `json:"kind"`
	Count    int    `json:"count"`
	Account  string `json:"account,omitempty"` // "org" and "portal" are taken too
	Method   string `json:"method,omitempty"`
	Path     string `json:"path,omitempty"`
	Contains string `json:"contains,omitempty"`
	Object   string `json:"object,omitempty"`
	Status   int    `json:"status,omitempty"`
	Code     string `json:"code,omitempty"`
	Message  string `json:"message,omitempty"`
	DelayMS  int    `json:"delay_ms,omitempty"`

	// RetryAfter is the value of a header of that name beside Status.
	RetryAfter string `json:"retry_after,omitempty"`

	// Writes narrows it to requests that write records. Share is the part, from 0 to 1,
	// of those that fit which it strikes, chosen by Seed; 0 = each.
	Writes bool    `json:"writes,omitempty"`
	Share  float64 `json:"share,omitempty"`
	Seed   uint64  `json:"seed,omitempty"`

	chosen *rand.Rand // nil: each is
}

// UnmarshalJSON takes the account under the name that the CRM gives it. Unknown names
// are an error: a fault that is misspelt would strike everything.
func (f *Fault) UnmarshalJSON(b []byte) error {
	type plain Fault
	var in struct {
		plain
		Org    string      `json:"org"`
		Portal json.Number `json:"portal"`
	}
	if err := strict(b, &in); err != nil {
		return err
	}
	*f = Fault(in.plain)
	for _, a := range []string{in.Org, in.Portal.String()} {
		if a != "" {
			f.Account = a
		}
	}
	return nil
}

var requestKinds = []string{"status", "status_after_apply", "delay", "drop", "drop_after_apply", "hold", "late"}

// lateMost is how long a request waits for its client to go away, where that one never
// does.
const lateMost = 2 * time.Minute

// Faults holds what is armed. Its mutex is a leaf: nothing is called with it held but
// the function given to Take.
type Faults struct {
	own     []string                    // kinds of the simulator
	account func(string) (string, bool) // the one form of an account's id
	strike  func(Fault) (bool, error)   // carries out a kind that needs no request; false = no such kind

	mu    sync.Mutex
	armed []*Fault
}

// NewFaults returns an empty list. own are the simulator's kinds beside those of
// requests; account gives an account's id its one form, false if there is none;
// strike carries out a kind that happens at once and reports whether it was one, nil
// is none.
func NewFaults(own []string, account func(string) (string, bool), strike func(Fault) (bool, error)) *Faults {
	return &Faults{own: own, account: account, strike: strike}
}

// Take uses the first fault of one of the kinds that strikes the account and fits,
// nil is any; ok is false if there is none.
func (l *Faults) Take(account string, fits func(*Fault) bool, kinds ...string) (f Fault, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.armed, func(f *Fault) bool {
		return slices.Contains(kinds, f.Kind) && (f.Account == "" || f.Account == account) && (fits == nil || fits(f))
	})
	if i < 0 {
		return Fault{}, false
	}
	f = *l.armed[i]
	if l.armed[i].Count--; l.armed[i].Count == 0 {
		l.armed = slices.Delete(l.armed, i, i+1)
	}
	return f, true
}

// request uses up what strikes a request: all delays, and the first of the others.
func (l *Faults) request(r *http.Request, account string) (wait time.Duration, hit *Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = slices.DeleteFunc(l.armed, func(f *Fault) bool {
		switch {
		case !slices.Contains(requestKinds, f.Kind), f.Account != "" && f.Account != account, f.Method != "" && !strings.EqualFold(f.Method, r.Method),
			!strings.HasPrefix(r.URL.Path, f.Path), !strings.Contains(r.URL.Path, f.Contains), f.Writes && Writing(r) == nil, f.Kind != "delay" && hit != nil:
			return false
		case f.chosen != nil && f.chosen.Float64() >= f.Share:
			return false
		case f.Kind == "delay":
			wait += time.Duration(f.DelayMS) * time.Millisecond
		default:
			c := *f
			hit = &c
		}
		f.Count--
		return f.Count == 0
	})
	return wait, hit
}

// Serve serves a request by next unless a fault has it otherwise; answer writes a
// status with the body that the vendor would send. The caller has read the body
// (Receive): a client that has gone away meanwhile does not keep its request from being
// applied. Every wait ends with done; what is late then never comes.
func (l *Faults) Serve(w http.ResponseWriter, r *http.Request, account string, done <-chan struct{}, next func(http.ResponseWriter), answer func(http.ResponseWriter, Fault)) {
	writing := Writing(r)
	defer writing.Ended()
	defer writing.Served()
	wait, hit := l.request(r, account)
	pause(wait, nil, done)
	if hit == nil {
		next(w)
		return
	}
	delay := time.Duration(hit.DelayMS) * time.Millisecond
	switch hit.Kind {
	case "hold":
		held := httptest.NewRecorder()
		next(held)
		writing.Served()
		pause(delay, r.Context().Done(), done)
		maps.Copy(w.Header(), held.Header())
		w.WriteHeader(held.Code)
		_, _ = w.Write(held.Body.Bytes()) // the client may be gone
		return
	case "late":
		pause(lateMost, r.Context().Done(), done)
		writing.Ended()
		if pause(delay, nil, done) {
			next(httptest.NewRecorder())
		}
		panic(http.ErrAbortHandler)
	}
	if strings.HasSuffix(hit.Kind, "_after_apply") {
		next(httptest.NewRecorder()) // the answer nobody sees
	}
	if strings.HasPrefix(hit.Kind, "drop") {
		panic(http.ErrAbortHandler) // net/http closes the connection without a word
	}
	if hit.RetryAfter != "" {
		w.Header().Set("Retry-After", hit.RetryAfter)
	}
	answer(w, *hit)
}

// pause waits for d, or until gone or done; false means done.
func pause(d time.Duration, gone, done <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-gone:
	case <-done:
		return false
	}
	return true
}

// Arm checks a fault and arms it, or carries it out.
func (l *Faults) Arm(f Fault) error {
	if f.Count == 0 {
		f.Count = 1
	}
	if f.Account != "" {
		id, ok := l.account(f.Account)
		if !ok {
			return fmt.Errorf("no account %q", f.Account)
		}
		f.Account = id
	}
	if f.Share > 0 {
		f.chosen = rand.New(rand.NewPCG(f.Seed, 0))
	}
	switch {
	case f.Share < 0 || f.Share > 1:
		return fmt.Errorf("share must be 0 to 1")
	case strings.HasPrefix(f.Kind, "status") && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status must be 200 to 599")
	case slices.Contains(requestKinds, f.Kind), slices.Contains(l.own, f.Kind):
		l.mu.Lock()
		l.armed = append(l.armed, &f)
		l.mu.Unlock()
		return nil
	case l.strike == nil:
	default:
		if ok, err := l.strike(f); ok || err != nil {
			return err
		}
	}
	return fmt.Errorf("unknown kind %q", f.Kind)
}

// Handle serves POST, GET and DELETE /_sim/faults.
func (l *Faults) Handle(mux *http.ServeMux) {
	mux.HandleFunc("POST /_sim/faults", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		if !ReadJSON(w, r, &f) {
			return
		}
		if err := l.Arm(f); err != nil {
			Error(w, http.StatusBadRequest, err.Error())
			return
		}
		WriteJSON(w, http.StatusOK, map[string]bool{"ok": true})
	})
	mux.HandleFunc("GET /_sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		l.mu.Lock()
		out := make([]Fault, 0, len(l.armed))
		for _, f := range l.armed {
			out = append(out, *f)
		}
		l.mu.Unlock()
		WriteJSON(w, http.StatusOK, out)
	})
	mux.HandleFunc("DELETE /_sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		l.mu.Lock()
		l.armed = nil
		l.mu.Unlock()
		WriteJSON(w, http.StatusOK, map[string]bool{"ok": true})
	})
}
