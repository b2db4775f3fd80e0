package simkit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Item is one record that a request wants to write, as its body says it.
type Item struct {
	Object string
	// Record is the CRM's own id, "" where the request does not name it.
	Record string
	// Identity is what else the record is known by, "FIELD=VALUE"; "" = nothing.
	Identity string
	// Part is what of the record is written: "" = its fields, "links".
	Part string
	// Content is what is to be written, without what only says to which record.
	Content any
}

// Write is one record of one write request. Instants are Unix microseconds, and no two
// of a ledger are equal: they are its order, too.
type Write struct {
	Request  int64           `json:"request"` // number of the request, from 1
	Account  string          `json:"account"`
	Object   string          `json:"object"`
	Record   string          `json:"record,omitempty"` // once it is known
	Identity string          `json:"identity,omitempty"`
	Part     string          `json:"part,omitempty"`
	Hash     string          `json:"hash"` // of the content
	Content  json.RawMessage `json:"content,omitempty"`
	Received int64           `json:"received"`
	Applied  int64           `json:"applied,omitempty"` // 0 = not, or refused
	Served   int64           `json:"served,omitempty"`  // applied or refused; 0 = not yet
	Ended    int64           `json:"ended,omitempty"`   // answered, or nobody waited any more; 0 = not yet
}

// Ledger records what a simulator was asked to write, and when. Its mutex is a leaf.
type Ledger struct {
	keep int

	mu       sync.Mutex
	writes   []*Write // oldest first
	dropped  int64
	requests int64
	last     int64
}

// ledgerKeep is how many writes a ledger keeps: some 50 MB.
const ledgerKeep = 50_000

// NewLedger returns an empty ledger. When it is full the oldest writes are dropped.
func NewLedger() *Ledger { return &Ledger{keep: ledgerKeep} }

// now is the next instant; the mutex is held.
func (l *Ledger) now() int64 {
	l.last = max(l.last+1, time.Now().UnixMicro())
	return l.last
}

type requestKey struct{}

// Request is a write request on its way. All methods may be called on nil, which is a
// request that writes nothing.
type Request struct {
	l      *Ledger
	writes []*Write
}

// Begin notes that a request has been received. The handler finds it again by Writing.
// A request without items is not noted.
func (l *Ledger) Begin(r *http.Request, account string, items []Item) (*http.Request, *Request) {
	if len(items) == 0 {
		return r, nil
	}
	req := &Request{l: l}
	for _, it := range items {
		content, err := Marshal(it.Content) // a map's keys are in order
		if err != nil {
			content = []byte(strconv.Quote(err.Error()))
		}
		sum := sha256.Sum256(append([]byte(it.Part+"\x00"), content...))
		req.writes = append(req.writes, &Write{Account: account, Object: it.Object, Record: it.Record, Identity: it.Identity, Part: it.Part,
			Hash: hex.EncodeToString(sum[:8]), Content: content})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	at := l.now()
	for _, w := range req.writes {
		w.Request, w.Received = l.requests, at
	}
	l.writes = append(l.writes, req.writes...)
	if n := len(l.writes) - l.keep; n > l.keep/10 {
		l.writes = append([]*Write(nil), l.writes[n:]...)
		l.dropped += int64(n)
	}
	return r.WithContext(context.WithValue(r.Context(), requestKey{}, req)), req
}

// Writing returns what Begin noted of a request.
func Writing(r *http.Request) *Request {
	req, _ := r.Context().Value(requestKey{}).(*Request)
	return req
}

// Applied notes that item i of the request stands in the record with that id. The
// simulator calls it with the account's lock held: the order is the one of the writes.
func (r *Request) Applied(i int, record string) {
	if r == nil || i >= len(r.writes) {
		return
	}
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	r.writes[i].Applied = r.l.now()
	if record != "" {
		r.writes[i].Record = record
	}
}

func (r *Request) note(field func(*Write) *int64) {
	if r == nil {
		return
	}
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	at := r.l.now()
	for _, w := range r.writes {
		if p := field(w); *p == 0 {
			*p = at
		}
	}
}

// Served notes that nothing more of the request will be applied.
func (r *Request) Served() { r.note(func(w *Write) *int64 { return &w.Served }) }

// Ended notes that the client has its answer, or waits for none any more.
func (r *Request) Ended() { r.note(func(w *Write) *int64 { return &w.Ended }) }

// Writes returns what is kept of an account, "" = of all, and how many older ones were
// dropped.
func (l *Ledger) Writes(account string) (ws []Write, dropped int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ws = []Write{}
	for _, w := range l.writes {
		if account == "" || w.Account == account {
			ws = append(ws, *w)
		}
	}
	return ws, l.dropped
}

// Report answers what is kept of an account, and what is wrong with it.
func (l *Ledger) Report(account string) map[string]any {
	ws, dropped := l.Writes(account)
	v := Judge(ws, nil)
	return map[string]any{"writes": ws, "dropped": dropped, "open_together": v.OpenTogether, "out_of_order": v.OutOfOrder}
}

// Receive reads the body of a request whole and puts it back, so that a client that goes
// away later does not take it along. A request that breaks off never arrived: its
// connection is closed. What is over most bytes is left for the handler to refuse.
func Receive(r *http.Request, most int64) []byte {
	b, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	return b
}
