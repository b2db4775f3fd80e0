package deliver

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

const pagePrefix = "~page:"

// poll asks for the next page of a source.
func (b *box) poll(provider, source string) error {
	p, ok := b.d.profiles[provider]
	if !ok {
		return nil
	}
	src, ok := p.SourceByName(source)
	if !ok {
		return nil
	}
	if a, ok, err := b.account(provider); err != nil || ok && slices.Contains(a.Off, src.Object) {
		return err // the tenant syncs none of it (B9)
	}
	priority := pipeline.PriorityPage
	if strings.HasSuffix(source, profile.Again) {
		priority = pipeline.PriorityAgain
	}
	return b.enqueue(&entry{Kind: schemas.KindPage, Provider: provider, Object: src.Object, Key: pagePrefix + source, Priority: int32(priority)})
}

// restart reads every source of a provider from its beginning again.
func (b *box) restart(provider string) error {
	p, ok := b.d.profiles[provider]
	if !ok {
		return nil
	}
	for i := range p.Sources {
		name := p.Sources[i].Name
		if err := b.rewind(provider, name); err != nil {
			return err
		}
		if err := b.poll(provider, name); err != nil {
			return err
		}
	}
	return nil
}

// pageEnd moves a source's cursor if the marker continues it (P3).
func (b *box) pageEnd(c *schemas.CRMChange) error {
	m := c.PageEnd
	p, ok := b.d.profiles[c.Provider]
	if !ok {
		return nil
	}
	src, ok := p.SourceByName(m.Source)
	if !ok {
		return nil
	}
	id := c.Provider + "\x00" + m.Source
	cur, ok, err := get(b, cursors, kindCursor, id)
	if err != nil {
		return err
	}
	if !ok {
		cur = &cursor{}
	}
	if cur.Cursor != m.From {
		return nil // a page that was read twice
	}
	cur.Cursor, cur.Marked = m.To, m.AttemptID
	cur.Loaded = cur.Loaded || m.Last
	if cur.PollAt != 0 { // one timer a source, however often it was read meanwhile
		b.tx.Cancel(pipeline.Timer{Due: cur.PollAt, Tenant: b.t.Name(), Kind: timerPoll, ID: id})
		cur.PollAt = 0
	}
	// A page that moved nothing and is not the last would be asked for again at once,
	// for ever.
	idle := m.Last || m.From == m.To
	again := strings.HasSuffix(m.Source, profile.Again)
	if again {
		if err := b.readAgain(c.Provider, src.Name, m.Last); err != nil {
			return err
		}
	}
	if idle && src.Every > 0 && !again {
		cur.PollAt = b.tx.Now + src.Every.Milliseconds()
		b.timer(cur.PollAt, timerPoll, id)
	}
	put(b, cursors, kindCursor, id, cur)
	if !idle {
		return b.poll(c.Provider, m.Source)
	}
	return nil
}

// pageRead ends a page that was answered. Its records and its marker tell all; a
// marker that never comes, because it was lost or given up, must not be the end of
// the source: it is asked again where it stands.
func (b *box) pageRead(at *schemas.Attempt, e *entry) error {
	if at.Page != nil {
		id := at.Provider + "\x00" + strings.TrimPrefix(e.Key, pagePrefix)
		cur, ok, err := get(b, cursors, kindCursor, id)
		if err != nil {
			return err
		}
		if !ok {
			cur = &cursor{}
		}
		if cur.Marked != at.ID && cur.Cursor == at.Page.Cursor && cur.PollAt <= b.tx.Now && !e.Waiting {
			cur.PollAt = b.tx.Now + markerIn
			b.timer(cur.PollAt, timerPoll, id)
			put(b, cursors, kindCursor, id, cur)
		}
	}
	if err := b.ail(e, ""); err != nil {
		return err
	}
	return b.free(e)
}

// ail says that a source fails again and again, or no longer.
func (b *box) ail(e *entry, source string) error {
	if !e.Reported {
		return nil
	}
	a, ok, err := b.account(e.Provider)
	if err != nil || !ok {
		return err
	}
	a.Ailing = source
	b.saveAccount(a)
	return nil
}

// pageFailed tries a source again later, after pauses that grow up to most: a source
// is never given up. That it fails is said once, until it succeeds.
func (b *box) pageFailed(at *schemas.Attempt, e *entry, r *schemas.ItemResult, reason string, first, most int64) error {
	e.Tries++
	if reason != "" && !e.Reported {
		e.Reported = true
		d := &schemas.DeadLetter{Tenant: b.t.Name(), Reason: reason, Message: r.Message + ": the source is asked again", Code: r.Code, RecordKey: e.Provider + "/" + e.Key,
			Topic: schemas.TopicCRMResults, Partition: b.tx.Partition, Attempt: at, Tries: e.Tries, At: b.tx.Now}
		b.tx.Emit(schemas.TopicDeadLetters, pipeline.DeadLetterKey(d), d)
		if err := b.ail(e, strings.TrimPrefix(e.Key, pagePrefix)); err != nil {
			return err
		}
	}
	wait := min(first<<min(e.Tries-1, 20), most)
	return b.again(e, b.tx.Now+wait+jitter(at.ID, e.Key, wait/4))
}
