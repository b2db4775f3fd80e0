package host

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
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
	watch     pipeline.Watch
	conn      connectors.Conn
	openErr   error
	ctx       context.Context // ends with stop: what has not left is dropped
	cancel    context.CancelFunc
	busy      sync.WaitGroup // attempts that use conn
}

// watch makes or keeps the connection of an account; the caller holds the lock.
func (h *Host) watch(partition int32, w pipeline.Watch) {
	k := accountKey{partition, w.Tenant, w.Account.Provider}
	old := h.accounts[k]
	if old != nil && old.openErr == nil && reflect.DeepEqual(old.watch.Account, w.Account) {
		old.watch = w
		return
	}
	if old != nil {
		old.stop()
	}
	a := &account{h: h, partition: partition, watch: w}
	a.ctx, a.cancel = context.WithCancel(h.ctx)
	h.accounts[k] = a
	p, ok := h.providers[w.Account.Provider]
	if !ok {
		a.openErr = fmt.Errorf("no connector for %q", w.Account.Provider)
		return
	}
	if a.conn, a.openErr = p.Open(h.cfg.Env, w.Tenant, w.Account); a.openErr != nil {
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

// stop ends the stream and what has not left; the connection closes once the last
// attempt is done with it.
func (a *account) stop() {
	a.cancel()
	if a.conn == nil {
		return
	}
	a.h.wg.Add(1)
	go func() {
		defer a.h.wg.Done()
		a.busy.Wait()
		if err := a.conn.Close(); err != nil {
			a.h.cfg.Log.Debug("closing a connection", "tenant", a.watch.Tenant, "why", err)
		}
	}()
}

// do carries out one attempt. A provider that panics costs its attempt alone.
func (a *account) do(ctx context.Context, at *schemas.Attempt, leave time.Time) (ans connectors.Answer) {
	if a.openErr != nil {
		return connectors.Answer{Result: unsent(at, schemas.NotSent, schemas.ErrAuth, a.openErr.Error())}
	}
	if a.ctx.Err() != nil {
		return connectors.Answer{Result: aborted(at, "the partition has moved to another process")}
	}
	a.busy.Add(1)
	defer a.busy.Done()
	defer func() {
		if p := recover(); p != nil {
			a.h.cfg.Log.Error("a connector panicked", "provider", at.Provider, "attempt", at.ID, "panic", fmt.Sprint(p))
			ans = connectors.Answer{Result: unsent(at, schemas.Unknown, schemas.ErrTransient, "the connector failed")}
		}
	}()
	emit := func(ctx context.Context, c *schemas.CRMChange) error {
		return a.emit(ctx, c, false)
	}
	ans = a.conn.Do(ctx, at, leave, emit)
	if at.Kind != schemas.KindWrite && ans.Result.Error == "" {
		// P3: what was read is on its topic before anything says that it was.
		if err := a.h.producer.Flush(ctx); err != nil {
			return connectors.Answer{Result: unsent(at, schemas.Unknown, schemas.ErrTransient, "what was read could not be written to Kafka")}
		}
	}
	return ans
}

func (a *account) emit(ctx context.Context, c *schemas.CRMChange, wait bool) error {
	id := c.ID
	if id == "" {
		id = "~cursor"
	}
	c.Provider, c.Account = a.watch.Account.Provider, a.watch.Account.ID
	if c.ObservedAt == 0 {
		c.ObservedAt = a.h.cfg.Env.Now().UnixMilli()
	}
	a.h.metrics.changes.WithLabelValues(c.Provider).Inc()
	return a.h.produce(ctx, a.partition, schemas.TopicCRMChanges, a.watch.Tenant+"/"+c.Provider+"/"+c.Object+"/"+id, c, wait)
}

// follow keeps the account's stream running, from the last event that was
// produced, with growing pauses between failures.
func (a *account) follow(s connectors.Streamer) {
	epoch, cursor := a.watch.Epoch, a.watch.Cursor
	failures := 0
	for a.ctx.Err() == nil {
		began := time.Now()
		err := s.Stream(a.ctx, epoch, cursor, func(ctx context.Context, c *schemas.CRMChange) error {
			if err := a.emit(ctx, c, true); err != nil {
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
		if time.Since(began) > time.Minute {
			failures = 0
		}
		failures++
		a.h.metrics.streams.WithLabelValues(a.watch.Account.Provider).Inc()
		a.h.cfg.Log.Info("stream ended, it is opened again", "tenant", a.watch.Tenant, "provider", a.watch.Account.Provider, "why", err)
		pause := min(time.Duration(1<<min(failures, 7))*250*time.Millisecond, 30*time.Second)
		pause += rand.N(pause / 4)
		select {
		case <-a.ctx.Done():
		case <-time.After(pause):
		}
	}
}
