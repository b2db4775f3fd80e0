package sync

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// seenMost is how many of the last cursors are known again.
const seenMost = 32

// stream moves the stream's cursor and applies the event. Where the event cannot be
// applied, or is too large, the task takes all of it back and calls Skip: it must not
// stop the stream (P3, P5).
func (w *world) stream(p *profile.Profile, c *schemas.CRMChange) error {
	e := c.Stream
	pos, err := w.position(c.Provider)
	if err != nil {
		return err
	}
	switch {
	case e.Reset && e.Epoch == pos.Epoch+1:
		put(w, streams, kindStream, c.Provider, &position{Epoch: e.Epoch, Cursor: e.To})
		w.want.Restart = append(w.want.Restart, c.Provider)
		return w.unload(c.Provider)
	case e.Reset || e.Epoch < pos.Epoch || e.Epoch == pos.Epoch && pos.knows(e.To):
		_, err := w.tx.NextSequence("duplicate stream events") // counted (P5)
		return err
	case e.Epoch != pos.Epoch || e.From != pos.Cursor:
		return w.astray(p, c)
	}
	pos.move(e.To)
	put(w, streams, kindStream, c.Provider, pos)
	return w.pushed(p, c)
}

// Skip moves the cursor past an event that cannot be applied, and dead-letters it.
// All that it did must have been taken back. Any other record is rejected as it was.
func (s *Sync) Skip(tx *pipeline.Tx, in *pipeline.Record, why *pipeline.Reject) error {
	w := &world{s: s, tx: tx, t: tx.Tenant(in.Tenant), ref: ref(in)}
	cfg, ok, err := w.config()
	if err != nil {
		return err
	}
	waiting, err := w.anyUnknown()
	if err != nil {
		return err
	}
	if !ok || cfg.Removed || waiting {
		return why // it was not its turn
	}
	return w.skip(in, why)
}

func (w *world) skip(in *pipeline.Record, why *pipeline.Reject) error {
	c, ok := in.Decoded.(*schemas.CRMChange)
	if !ok || c.Stream == nil || c.Stream.Reset {
		return why
	}
	if _, known := w.profile(c.Provider); !known {
		return why
	}
	pos, err := w.position(c.Provider)
	if err != nil {
		return err
	}
	e := c.Stream
	if e.Epoch != pos.Epoch || e.From != pos.Cursor {
		return why
	}
	pos.move(e.To)
	put(w, streams, kindStream, c.Provider, pos)
	d := deadLetter(in, why, w.tx.Now)
	d.RecordKey = c.Provider + "/" + c.Object + "/" + e.To
	w.tx.Emit(schemas.TopicDeadLetters, pipeline.DeadLetterKey(d), d)
	return nil
}

// deadLetter is an input that is given up, with its bytes as far as they fit.
func deadLetter(in *pipeline.Record, why *pipeline.Reject, now int64) *schemas.DeadLetter {
	d := &schemas.DeadLetter{Tenant: in.Tenant, Reason: why.Reason, Message: why.Detail, Topic: in.Topic, Partition: in.Partition, Offset: in.Offset,
		Key: in.Key, Value: in.Value, Headers: in.Headers, At: now}
	if len(d.Key)+len(d.Value) > schemas.RecordLimit-(64<<10) {
		d.Message += " (its bytes are not repeated here)"
		d.Key, d.Value, d.Headers = nil, nil, nil
	}
	return d
}

// astray is an event that neither continues the cursor nor was applied lately: one
// before it was lost on its way, or the stream was opened further back. What it says
// may be old; its records are read as they are now, and it is counted.
func (w *world) astray(p *profile.Profile, c *schemas.CRMChange) error {
	for _, id := range c.Stream.RecordIDs {
		if p.NormalizeID != nil {
			id = p.NormalizeID(id)
		}
		w.read(c.Provider, c.Object, id)
	}
	_, err := w.tx.NextSequence("stray stream events")
	return err
}

func (w *world) position(provider string) (*position, error) {
	pos, ok, err := get(w, streams, kindStream, provider)
	if err == nil && !ok {
		pos = &position{}
	}
	return pos, err
}

func cursorHash(cursor string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(cursor))
	return h.Sum32()
}

// move goes on to a cursor and remembers it.
func (p *position) move(to string) {
	p.Cursor = to
	p.Seen = binary.BigEndian.AppendUint32(p.Seen, cursorHash(to))
	if n := len(p.Seen) - 4*seenMost; n > 0 {
		p.Seen = p.Seen[n:]
	}
}

// knows reports whether a cursor is one of the last.
func (p *position) knows(cursor string) bool {
	h := cursorHash(cursor)
	for i := 0; i+4 <= len(p.Seen); i += 4 {
		if binary.BigEndian.Uint32(p.Seen[i:]) == h {
			return true
		}
	}
	return false
}

func (w *world) pushed(p *profile.Profile, c *schemas.CRMChange) error {
	t := w.lines.Table(c.Provider, c.Object)
	for _, id := range c.Stream.RecordIDs {
		if p.NormalizeID != nil {
			id = p.NormalizeID(id)
		}
		var err error
		if t != nil {
			if err := w.tablePushed(p, t, id, c.Stream); err != nil {
				return err
			}
			continue
		}
		switch c.Stream.ChangeType {
		case "CREATE", "UPDATE":
			w.live = true
			err = w.merge(p, c.Object, id, c.Stream.ModifiedAt, c.Stream.Fields, saying{part: c.Stream.ChangeType == "UPDATE", created: c.Stream.ChangeType == "CREATE"})
		case "DELETE", "GAP_DELETE":
			err = w.goneThere(p, c.Object, id)
		default: // UNDELETE and gaps say that something is so, not what
			w.read(c.Provider, c.Object, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// goneThere takes over that a record was deleted, and reads it: the event does not say
// whether it is gone, or part of another one now (B7).
func (w *world) goneThere(p *profile.Profile, object, id string) error {
	ps, err := w.linked(w.linkID(p.Provider, object, id))
	if err != nil || ps == nil {
		return err
	}
	if l := ps.link(p.Provider, object, id); l == nil || l.Deleted {
		return nil
	}
	w.read(p.Provider, object, id)
	return w.deleted(p, object, id)
}
