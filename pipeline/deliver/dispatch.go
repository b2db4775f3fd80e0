package deliver

import (
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
)

// dispatch sends what is ready, batch by batch, while the account may have more
// requests on their way. An idle account sends at once; while requests are out the
// queue grows, and the next batch is fuller.
func (b *box) dispatch(provider string) error {
	a, ok, err := b.account(provider)
	if err != nil || !ok {
		return err
	}
	if err := b.fill(a); err != nil {
		return err
	}
	if err := b.flush(provider); err != nil {
		return err
	}
	b.saveAccount(a)
	return b.passOn()
}

// fill starts attempts of one account while it may have more.
func (b *box) fill(a *account) error {
	p, known := b.d.profiles[a.Provider]
	switch {
	case a.Gone:
		b.leaveLine(a)
		return b.abandon(a)
	case !known:
		b.leaveLine(a)
		return nil
	}
	provider := a.Provider
	inFlight := int32(p.Limits.InFlight)
	gap := p.Limits.Gap.Milliseconds()
	switch {
	case a.Parked != "" && !a.Probing:
		b.leaveLine(a)
		return nil
	case a.PausedUntil > b.tx.Now:
		b.leaveLine(a)
		b.timer(a.PausedUntil, timerDispatch, provider)
		return nil
	case b.tx.Now < a.LastSent+gap:
		b.leaveLine(a)
		b.timer(a.LastSent+gap, timerDispatch, provider)
		return nil
	case a.Parked != "" || a.Failures >= breakerAt:
		inFlight = 1 // half-open: one request tells
	}
	if a.Open >= inFlight {
		b.leaveLine(a)
		return nil
	}
	may, err := b.mayTake(a)
	if err != nil || !may {
		return err
	}
	for a.Open < inFlight {
		batch, voided, err := b.pick(p, a)
		if err != nil {
			return err
		}
		if voided {
			b.timer(b.tx.Now+1, timerDispatch, provider) // there may be more behind them
		}
		if len(batch) == 0 || inFlight > 2 && a.Open == inFlight-1 && batch[0].Priority >= int32(pipeline.PriorityPage) {
			break // pages take their time: one request is kept for what people wait for
		}
		open, err := b.open()
		if err != nil {
			return err
		}
		if open >= maxOpen {
			return b.standInLine(a)
		}
		if err := b.attempt(p, a, batch); err != nil {
			return err
		}
		a.Probing = false
		a.LastSent = b.tx.Now
		if gap > 0 { // the next one goes later, and fuller
			if a.Waiting > 0 {
				b.timer(b.tx.Now+gap, timerDispatch, provider)
			}
			break
		}
	}
	return nil
}

// operation says how an entry goes out.
func operation(e *entry) string {
	switch {
	case e.Kind != schemas.KindWrite:
		return ""
	case e.LinkOnly:
		return schemas.OpLink
	case e.ID != "":
		return schemas.OpUpdate
	case e.Identity != "" && e.IdentityField != "":
		return schemas.OpUpsert
	default:
		return schemas.OpCreate
	}
}

func limit(p *profile.Profile, e *entry) int {
	n := 1
	switch e.Kind {
	case schemas.KindRead:
		n = p.Limits.Read
	case schemas.KindWrite:
		switch operation(e) {
		case schemas.OpUpsert:
			n = p.Limits.Upsert
		case schemas.OpUpdate, schemas.OpLink:
			n = p.Limits.Update
		case schemas.OpCreate:
			n = p.Limits.Create
			if e.Unsure != "" {
				n = 1 // looked up one by one
			}
		}
	}
	if e.MaxBatch > 0 {
		n = min(n, int(e.MaxBatch))
	}
	return max(n, 1)
}

// pick takes the first ready entry and those behind it that fit into one request
// with it, in number and in bytes. It looks at no more than twice a batch (P8). What
// is for an account that was replaced ends here; voided says that there was such.
func (b *box) pick(p *profile.Profile, a *account) (picked []*entry, voided bool, err error) {
	prefix := b.t.Prefix(kindQueue, p.Provider+"\x00")
	var keys []string
	most := 1
	first := true
	ids := make(map[string]bool)
	err = b.tx.Store.Scan(prefix, state.Key{}, func(_ state.Key, v []byte) (bool, error) {
		keys = append(keys, string(v[1:]))
		if first {
			first = false
			e, ok, err := b.entry(p.Provider, keys[0])
			if err != nil {
				return false, err
			}
			if ok {
				most = limit(p, e)
				if foreign(a, e) {
					most = voidAtOnce / 2
				}
			}
		}
		return len(keys) < 2*most, nil
	})
	if err != nil {
		return nil, false, err
	}
	bytes := 0
	for _, key := range keys {
		e, ok, err := b.entry(p.Provider, key)
		if err != nil {
			return nil, false, err
		}
		if !ok || e.Seq == 0 {
			continue
		}
		if foreign(a, e) {
			b.void(a, e, replacedBy(e, a.ID))
			voided = true
			continue
		}
		if len(picked) == 0 {
			most = limit(p, e)
		} else {
			f := picked[0]
			if f.Kind != e.Kind || f.Object != e.Object || operation(f) != operation(e) || f.IdentityField != e.IdentityField || limit(p, e) <= len(picked) {
				continue
			}
		}
		same := e.ID
		if same == "" {
			same = "\x00" + e.Identity
		}
		if ids[same] && same != "\x00" {
			continue // two of one record are two requests
		}
		if bytes += load(e); len(picked) > 0 && bytes > batchLimit(p) {
			break // the next request begins with it
		}
		ids[same] = true
		picked = append(picked, e)
		if len(picked) == most {
			break
		}
	}
	return picked, voided, nil
}

// attempt turns picked entries into one attempt.
func (b *box) attempt(p *profile.Profile, a *account, batch []*entry) error {
	id, err := b.tx.NextAttemptID()
	if err != nil {
		return err
	}
	f := batch[0]
	at := &schemas.Attempt{
		ID: id, Tenant: b.t.Name(), Provider: p.Provider, Account: a.ID, ConfigVersion: a.ConfigVersion,
		Kind: f.Kind, Operation: operation(f), Object: f.Object, DecidedAt: b.tx.Now, LeaveBy: b.tx.Now + leaveWithin, OverBy: b.tx.Now + leaveWithin + overAfter,
	}
	if f.Unsure != "" {
		at.RepeatOf = &f.Unsure
	}
	if f.Kind == schemas.KindPage {
		name := strings.TrimPrefix(f.Key, pagePrefix)
		src, ok := p.SourceByName(name)
		if !ok { // a source of an earlier version
			b.forget(a, f)
			return nil
		}
		c, _, err := get(b, cursors, kindCursor, p.Provider+"\x00"+name)
		if err != nil {
			return err
		}
		at.Page = &schemas.PageRequest{Source: name, Limit: src.Limit}
		if c != nil {
			at.Page.Cursor = c.Cursor // what was read and not marked is read again (P3)
		}
	}
	for _, e := range batch {
		b.tx.Store.Delete(b.t.Key(kindQueue, queueID(e.Provider, e.Priority, e.Seq)))
		e.Seq, e.Attempt, e.Waiting, e.Withdrawn = 0, id, false, false
		e.Sent, e.SentLinks, e.SentRevision = e.Fields, e.Associations, e.Revision
		e.Fields, e.Associations = nil, nil
		it := schemas.AttemptItem{Key: e.Key, ID: e.ID, Fields: e.Sent, Associations: e.SentLinks}
		if e.ID == "" {
			it.IdentityField, it.Identity = e.IdentityField, e.Identity
		}
		at.Items = append(at.Items, it)
		b.save(e)
	}
	if err := b.addOpen(1); err != nil {
		return err
	}
	a.Open++
	a.Waiting -= int64(len(batch))
	b.start(at)
	return nil
}

// forget drops an entry that is queued.
func (b *box) forget(a *account, e *entry) {
	b.unqueue(e)
	b.tx.Store.Delete(b.t.Key(kindEntry, entryID(e.Provider, e.Key)))
	a.Waiting--
}
