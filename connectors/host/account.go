package host

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// account is a watched account: its connection, and its stream where the CRM has
// one.
type account struct {
	h         *Host
	partition int32
	watch     pipeline.Watch // as it was opened; never changed
	conn      connectors.Conn
	openErr   error
	ctx       context.Context // ends with stop, by an ending
	cancel    context.CancelCauseFunc
}

// ending is why an account's connection ended: code and words of the results of what
// had not left.
type ending struct{ code, why string }

func (e ending) Error() string { return e.why }

// Codes of the results of attempts that never left; their class is
// schemas.ErrAborted. After CodeAccountRemoved the attempt can't be repeated: no
// account of that provider is configured for the tenant.
const (
	CodeAccountRemoved = "account_removed"
	CodeAccountChanged = "account_changed"
	CodeMoved          = "partition_moved"
)

var (
	removed = ending{CodeAccountRemoved, "the tenant has no account of this CRM any more"}
	changed = ending{CodeAccountChanged, "the account's configuration has changed"}
	moved   = ending{CodeMoved, "the partition has moved to another process"}
)

// watch makes or keeps the connection of an account; the caller holds the lock.
func (h *Host) watch(partition int32, w pipeline.Watch) {
	k := accountKey{partition, w.Tenant, w.Account.Provider}
	old := h.accounts[k]
	if old != nil && old.openErr == nil && reflect.DeepEqual(old.watch.Account, w.Account) {
		return // a stream under way knows its own position best
	}
	if old != nil {
		old.stop(changed)
	}
	a := &account{h: h, partition: partition, watch: w}
	a.ctx, a.cancel = context.WithCancelCause(h.ctx)
	h.accounts[k] = a
	p, ok := h.providers[w.Account.Provider]
	if !ok {
		a.openErr = fmt.Errorf("no connector for %q", w.Account.Provider)
		return
	}
	if a.conn, a.openErr = open(p, h.cfg.Env, w); a.openErr != nil {
		h.cfg.Log.Error("opening a connection", "tenant", w.Tenant, "provider", w.Account.Provider, "why", a.openErr)
		return
	}
	if s, ok := a.conn.(connectors.Streamer); ok {
		h.wg.Add(1)
		go func() {
			defer h.wg.Done()
			a.follow(s)
		}()
	}
}

// stop ends the stream and lets nothing leave any more; what has left is awaited by
// those who sent it. It does not block.
func (a *account) stop(e ending) {
	a.cancel(e)
	if a.conn == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			a.panicked(p, "closing")
		}
	}()
	if err := a.conn.Close(); err != nil {
		a.h.cfg.Log.Warn("closing a connection", "tenant", a.watch.Tenant, "why", err)
	}
}

func (a *account) panicked(p any, doing string) {
	a.h.cfg.Log.Error("a connector panicked", "doing", doing, "provider", a.watch.Account.Provider, "tenant", a.watch.Tenant, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
}

// ended returns why the connection ended; ok is false while it has not.
func (a *account) ended() (e ending, ok bool) {
	if a.ctx.Err() == nil {
		return ending{}, false
	}
	if e, ok = errors.AsType[ending](context.Cause(a.ctx)); !ok {
		e = moved // the process ends
	}
	return e, true
}

// do carries out one attempt. A provider that panics costs its attempt alone.
func (a *account) do(ctx context.Context, at *schemas.Attempt, leave time.Time) (ans connectors.Answer) {
	if e, ok := a.ended(); ok {
		return connectors.Answer{Result: aborted(at, e)}
	}
	switch {
	case a.openErr != nil:
		return connectors.Answer{Result: unsent(at, schemas.NotSent, schemas.ErrAuth, a.openErr.Error())}
	case a.watch.Account.ID != at.Account:
		return connectors.Answer{Result: aborted(at, changed)}
	}
	defer func() {
		if p := recover(); p != nil {
			a.panicked(p, "attempt "+at.ID)
			ans = connectors.Answer{Result: unsent(at, schemas.Unknown, schemas.ErrTransient, "the connector failed")}
		}
	}()
	var read reading
	ans = a.conn.Do(ctx, at, leave, func(ctx context.Context, c *schemas.CRMChange) error {
		return a.emit(ctx, c, read.add())
	})
	// P3: what was read is on its topic before anything says that it was.
	if err := read.wait(ctx); err != nil && ans.Result.Error == "" {
		return connectors.Answer{Result: unsent(at, schemas.Unknown, schemas.ErrTransient, "what was read could not be written to Kafka")}
	}
	if len(ans.Result.Items) != len(at.Items) {
		a.h.cfg.Log.Error("a connector's answer is not complete", "provider", at.Provider, "attempt", at.ID, "items", len(at.Items), "answered", len(ans.Result.Items))
		return connectors.Answer{Result: unsent(at, schemas.Unknown, schemas.ErrTransient, "the connector's answer is not complete")}
	}
	if e, ok := a.ended(); ok && ans.Result.Error == schemas.ErrAborted && !slices.ContainsFunc(ans.Result.Items, func(r schemas.ItemResult) bool { return r.Outcome != schemas.NotSent }) {
		ans.Result = aborted(at, e) // it waited for its moment when the connection ended
	}
	return ans
}

// reading waits for the records of one attempt.
type reading struct {
	mu    sync.Mutex
	open  int
	err   error
	empty chan struct{} // closed when none is open; nil unless somebody waits
}

// add counts a record in; the function that it returns counts it out.
func (r *reading) add() func(error) {
	r.mu.Lock()
	r.open++
	r.mu.Unlock()
	return func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.open--; r.err == nil {
			r.err = err
		}
		if r.open == 0 && r.empty != nil {
			close(r.empty)
			r.empty = nil
		}
	}
}

func (r *reading) wait(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open > 0 {
		empty := make(chan struct{})
		r.empty = empty
		r.mu.Unlock()
		select {
		case <-empty:
		case <-ctx.Done():
		}
		r.mu.Lock()
	}
	if r.open > 0 {
		return ctx.Err()
	}
	return r.err
}

// emit produces one change; done is called once, with what became of it.
func (a *account) emit(ctx context.Context, c *schemas.CRMChange, done func(error)) error {
	id := c.ID
	if id == "" {
		id = "~cursor"
	}
	c.Provider, c.Account = a.watch.Account.Provider, a.watch.Account.ID
	if c.ObservedAt == 0 {
		c.ObservedAt = a.h.cfg.Env.Now().UnixMilli()
	}
	key := a.watch.Tenant + "/" + c.Provider + "/" + c.Object + "/" + id
	err := a.h.produce(ctx, a.partition, schemas.TopicCRMChanges, key, c, done)
	if errors.Is(err, errTooLarge) {
		// The source must get past it (P5): it goes on without its largest fields.
		a.h.cfg.Log.Error("a record of a CRM is too large, its largest fields are left out", "tenant", a.watch.Tenant, "provider", c.Provider, "object", c.Object, "id", c.ID)
		err = a.h.produce(ctx, a.partition, schemas.TopicCRMChanges, key, slim(c), done)
	}
	if err != nil {
		done(err)
		return err
	}
	a.h.metrics.changes.WithLabelValues(c.Provider).Inc()
	return nil
}

// slim returns the change without its largest fields, so that the rest is at most
// half of what a record may have.
func slim(c *schemas.CRMChange) *schemas.CRMChange {
	cut := func(fs []schemas.Field) []schemas.Field {
		size := func(f schemas.Field) int {
			if f.Value == nil {
				return len(f.Name)
			}
			return len(f.Name) + len(*f.Value)
		}
		kept, total := slices.Clone(fs), 0
		slices.SortStableFunc(kept, func(a, b schemas.Field) int { return size(a) - size(b) })
		for i, f := range kept {
			if total += size(f); total > schemas.RecordLimit/2 {
				kept = kept[:i]
				break
			}
		}
		slices.SortFunc(kept, func(a, b schemas.Field) int { return strings.Compare(a.Name, b.Name) })
		return kept
	}
	s := *c
	if c.Record != nil {
		r := *c.Record
		r.Fields = cut(r.Fields)
		s.Record = &r
	}
	if c.Stream != nil {
		e := *c.Stream
		e.Fields = cut(e.Fields)
		s.Stream = &e
	}
	return &s
}

// follow keeps the account's stream running, from the last event that was
// produced, with growing pauses between failures.
func (a *account) follow(s connectors.Streamer) {
	epoch, cursor := a.watch.Epoch, a.watch.Cursor
	failures := 0
	for a.ctx.Err() == nil {
		began := time.Now()
		err := a.stream(s, epoch, cursor, func(ctx context.Context, c *schemas.CRMChange) error {
			var one reading
			if err := a.emit(ctx, c, one.add()); err != nil {
				return err
			}
			if err := one.wait(ctx); err != nil {
				return err
			}
			if c.Stream != nil {
				epoch, cursor = c.Stream.Epoch, c.Stream.To
			}
			return nil
		})
		if a.ctx.Err() != nil {
			return
		}
		if time.Since(began) > 2*time.Minute { // over what a refusal's own tries take
			failures = 0
		}
		failures++
		a.h.metrics.streams.WithLabelValues(a.watch.Account.Provider).Inc()
		a.h.cfg.Log.Info("stream ended, it is opened again", "tenant", a.watch.Tenant, "provider", a.watch.Account.Provider, "why", err)
		pause := streamPause(failures, err)
		pause += rand.N(pause / 4)
		select {
		case <-a.ctx.Done():
		case <-time.After(pause):
		}
	}
}

// streamPause is how long a stream rests after so many failures in a row: half a
// second, doubling to 30 s; where the CRM refuses the credential or the right to the
// stream, half a minute, doubling to a quarter of an hour, for only a person mends that.
func streamPause(failures int, err error) time.Duration {
	first, last := 500*time.Millisecond, 30*time.Second
	if c, ok := errors.AsType[connectors.Classed](err); ok && (c.ErrorClass() == schemas.ErrAuth || c.ErrorClass() == schemas.ErrForbidden) {
		first, last = 30*time.Second, 15*time.Minute
	}
	return min(first<<min(failures-1, 10), last)
}

// stream follows a stream once; a connector that panics ends it.
func (a *account) stream(s connectors.Streamer, epoch int64, cursor string, emit connectors.Emit) (err error) {
	defer func() {
		if p := recover(); p != nil {
			a.panicked(p, "following a stream")
			err = errors.New("the connector panicked")
		}
	}()
	return s.Stream(a.ctx, epoch, cursor, emit)
}

// open opens a connection; a connector that panics costs the account alone.
func open(p connectors.Provider, env connectors.Env, w pipeline.Watch) (conn connectors.Conn, err error) {
	defer func() {
		if p := recover(); p != nil {
			env.Log.Error("a connector panicked", "provider", w.Account.Provider, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			conn, err = nil, errors.New("the connector failed to open a connection")
		}
	}()
	return p.Open(env, w.Tenant, w.Account)
}
