package salesforce

import (
	"context"
	"errors"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

const (
	// channel carries the events of all objects that the org selected, so that one
	// replay position is the whole cursor.
	channel  = "/data/ChangeEvents"
	fromTip  = "-1"
	skipMax  = 200             // events of other objects, after which the cursor is moved all the same
	firstLag = time.Second     // wait before a new session; doubles
	lastLag  = 1 * time.Minute // up to this
	tries    = 8               // sessions in a row without any event or empty poll
)

// errLost is a replay position that the CRM does not know any more.
var errLost = errors.New("the CRM does not have the stream's position any more")

// stream is one call of Stream.
type stream struct {
	*conn
	emit    connectors.Emit
	epoch   int64
	cursor  string
	skipped int    // since cursor
	seen    string // replay id of the last event, emitted or skipped
	ran     bool   // a subscription stood before
	alive   bool   // the present session has answered a poll
}

// Stream implements connectors.Streamer.
func (c *conn) Stream(ctx context.Context, epoch int64, cursor string, emit connectors.Emit) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)() // Close ends it
	s := &stream{conn: c, emit: emit, epoch: epoch, cursor: cursor, seen: cursor}
	lag, failed := firstLag, 0
	for {
		s.alive = false
		err := s.session(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.alive {
			lag, failed = firstLag, 0
		}
		if _, ok := errors.AsType[*emitError](err); ok {
			return err
		}
		wait := lag
		if e, ok := errors.AsType[*rest.Error](err); ok {
			switch e.Class {
			case schemas.ErrForbidden:
				return err
			case schemas.ErrAuth: // once with a new token, then it is the credential
				if failed > 0 {
					return err
				}
			}
			wait = max(wait, e.RetryAfter)
		}
		// Also a good handshake may be followed by "unknown client" at once: shaking
		// hands in a loop would use up the org's clients.
		if failed++; failed >= tries {
			return err
		}
		if err := rested(ctx, wait); err != nil {
			return err
		}
		lag = min(2*lag, lastLag)
	}
}

// emitError is an event that was not taken: the stream can't go on past it.
type emitError struct{ err error }

func (e *emitError) Error() string { return "handing over a pushed event: " + e.err.Error() }
func (e *emitError) Unwrap() error { return e.err }

// session runs one Bayeux session to its end.
func (s *stream) session(ctx context.Context) error {
	b, err := s.newSession(ctx)
	if err != nil {
		return err
	}
	defer b.disconnect()
	replay, reset := s.seen, false
	if replay == "" {
		// Nothing tells what came between two subscriptions at the tip.
		replay, reset = fromTip, s.ran
	}
	got, err := b.subscribe(ctx, channel, replay)
	if errors.Is(err, errLost) {
		reset = true
		got, err = b.subscribe(ctx, channel, fromTip)
	}
	if err != nil {
		return err
	}
	s.ran = true
	if reset { // after the subscription stands: the backfill that it causes leaves no hole
		if err := s.reset(ctx); err != nil {
			return err
		}
	}
	if err := s.take(ctx, got); err != nil {
		return err
	}
	for {
		got, err := b.connect(ctx)
		// Events may stand beside a failed connect.
		if err := s.take(ctx, got); err != nil {
			return err
		}
		if err != nil {
			return err
		}
		s.alive = true
		switch b.advice.Reconnect {
		case "handshake":
			return &rest.Error{Class: schemas.ErrTransient, Message: "the server advised a new handshake"}
		case "none":
			return &rest.Error{Class: schemas.ErrTransient, Message: "the server advised to end the session"}
		}
		// The server drops a client that stays away for 40 s.
		if err := rested(ctx, min(time.Duration(b.advice.Interval)*time.Millisecond, 30*time.Second)); err != nil {
			return err
		}
	}
}

// rested waits; an error is ctx's end.
func rested(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *stream) reset(ctx context.Context) error {
	s.epoch++
	s.cursor, s.seen, s.skipped = "", "", 0
	return s.hand(ctx, &schemas.CRMChange{Provider: name, Account: s.Config.ID, ObservedAt: s.Now().UnixMilli(),
		Stream: &schemas.StreamEvent{Channel: channel, Epoch: s.epoch, Reset: true}})
}

// take hands over the events among messages, in their order.
func (s *stream) take(ctx context.Context, ms []message) error {
	for _, m := range ms {
		if m.Channel != channel {
			continue
		}
		replay, ch, err := s.event(m.Data)
		if replay == "" {
			// Without a place it can't be passed over: going on would lose it unseen.
			return &rest.Error{Class: schemas.ErrTransient, Message: rest.Redact(err.Error())}
		}
		s.seen = replay
		if ch == nil {
			if err != nil {
				s.Env.Log.Warn("event can't be read, its place is passed on", "replay", replay)
			}
			// A long run of foreign events must not let the cursor grow too old.
			if s.skipped++; err == nil && s.skipped < skipMax {
				continue
			}
			ch = &schemas.CRMChange{Provider: name, Account: s.Config.ID, ObservedAt: s.Now().UnixMilli(), Stream: &schemas.StreamEvent{Channel: channel}}
		}
		ch.Stream.Epoch, ch.Stream.From, ch.Stream.To = s.epoch, s.cursor, replay
		if err := s.hand(ctx, ch); err != nil {
			return err
		}
		s.cursor, s.skipped = replay, 0
	}
	return nil
}

func (s *stream) hand(ctx context.Context, ch *schemas.CRMChange) error {
	if err := s.emit(ctx, ch); err != nil {
		return &emitError{err}
	}
	return nil
}
