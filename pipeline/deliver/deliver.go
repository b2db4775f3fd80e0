package deliver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
)

// Times of an attempt, in ms: when it must have left, how long a request may take,
// and how much later than that nothing of it can be on its way any more.
const (
	leaveWithin = 10_000
	overAfter   = 30_000 + 15_000
	indexLag    = 30_000 // of a CRM's search
	parkProbe   = 60_000
	breakerHold = 60_000
	abortedHold = 1_000 // before what never left goes again
	maxTries    = 5
	lostAfter   = 5           // refusals of a credential in a row
	lostProbe   = 30 * 60_000 // of an account whose credential is lost
	pageMost    = 10 * 60_000 // longest pause of a source that fails
	refusedMost = 60 * 60_000 // the same, where the CRM says that it will go on failing
	markerIn    = 10 * 60_000 // within which the marker of a page that was read must come
	goneFor     = 24 * 60 * 60_000
	waitMost    = 24 * 60 * 60_000 // longest pause that a CRM may ask for
	maxOpen     = 256              // attempts of a partition: what the host has room for
	breakerAt   = 5
)

// Deliver is the function. It holds profiles only.
type Deliver struct {
	profiles map[string]*profile.Profile
	order    []string // of the profiles, as given: no map decides an order (P9)
}

// New returns a Deliver for CRMs with these profiles.
func New(profiles []*profile.Profile) *Deliver {
	d := &Deliver{profiles: make(map[string]*profile.Profile, len(profiles))}
	for _, p := range profiles {
		d.profiles[p.Provider] = p
		d.order = append(d.order, p.Provider)
	}
	return d
}

func (d *Deliver) box(tx *pipeline.Tx, tenant string) *box {
	return &box{d: d, tx: tx, t: tx.Tenant(tenant)}
}

// Step takes one record and what sync made of it.
func (d *Deliver) Step(tx *pipeline.Tx, in *pipeline.Record, want pipeline.Intents) ([]pipeline.Settlement, error) {
	b := d.box(tx, in.Tenant)
	switch v := in.Decoded.(type) {
	case *schemas.AttemptResult:
		if err := b.result(v); err != nil {
			return nil, err
		}
	case *schemas.CRMChange:
		if v.PageEnd != nil {
			if err := b.pageEnd(v); err != nil {
				return nil, err
			}
		}
	}
	err := b.take(want)
	return b.settled, err
}

// Take enqueues intents that a timer of sync brought about.
func (d *Deliver) Take(tx *pipeline.Tx, tenant string, want pipeline.Intents) ([]pipeline.Settlement, error) {
	b := d.box(tx, tenant)
	err := b.take(want)
	return b.settled, err
}

func (b *box) take(want pipeline.Intents) error {
	if want.Accounts != nil {
		if err := b.configure(want.Accounts); err != nil {
			return err
		}
	}
	for _, r := range want.Forget {
		if err := b.withdraw(r); err != nil {
			return err
		}
	}
	for i := range want.Void {
		if err := b.takeOut(&want.Void[i]); err != nil {
			return err
		}
	}
	for i := range want.Writes {
		if err := b.write(&want.Writes[i]); err != nil {
			return err
		}
	}
	for _, r := range want.Reads {
		priority := pipeline.PriorityRead
		if r.Urgent {
			priority = pipeline.PriorityCall
		}
		if r.Phone != "" {
			if err := b.enqueue(&entry{Kind: schemas.KindFind, Provider: r.Provider, Account: r.Account, IdentityField: schemas.FindPhone, Identity: r.Phone,
				Fields: []schemas.Field{schemas.Text(schemas.FindNational, r.National)}, Key: "~find:" + r.Phone, Priority: int32(priority)}); err != nil {
				return err
			}
			continue
		}
		if err := b.enqueue(&entry{Kind: schemas.KindRead, Provider: r.Provider, Account: r.Account, Object: r.Object, ID: r.ID,
			Key: "~read:" + r.Object + ":" + r.ID, Priority: int32(priority)}); err != nil {
			return err
		}
	}
	for _, d := range want.Drifts {
		if err := b.drift(d); err != nil {
			return err
		}
	}
	for _, p := range want.Restart {
		if err := b.restart(p); err != nil {
			return err
		}
	}
	for _, s := range want.Again {
		if err := b.beginAgain(s.Provider, s.Name); err != nil {
			return err
		}
	}
	return nil
}

// withdraw ends what waits of a record that is written no more. What is on its way ends
// with its answer.
func (b *box) withdraw(r pipeline.Ref) error {
	e, ok, err := b.entry(r.Provider, r.Key)
	if err != nil || !ok {
		return err
	}
	e.Withdrawn = true
	return b.idle(e)
}

// takeOut takes fields out of what waits of a record. What is on its way ends as it would.
func (b *box) takeOut(v *pipeline.Void) error {
	e, ok, err := b.entry(v.Provider, v.Key)
	if err != nil || !ok || !e.Waiting {
		return err
	}
	e.Fields = slices.DeleteFunc(e.Fields, func(f schemas.Field) bool { return slices.Contains(v.Fields, f.Name) })
	if len(e.Fields) > 0 || len(e.Associations) > 0 {
		b.save(e)
		return nil
	}
	return b.idle(e)
}

// idle leaves an entry of which nothing waits any more: it ends with what is on its way, or
// may still arrive (P6).
func (b *box) idle(e *entry) error {
	b.unqueue(e)
	if e.Waiting {
		if err := b.count(e.Provider, -1); err != nil {
			return err
		}
	}
	e.Waiting, e.LinkOnly = false, false
	e.Fields, e.Associations = nil, nil
	switch {
	case e.Attempt != "":
		b.save(e)
	case e.MayArrive > b.tx.Now:
		e.FreeAt = max(e.FreeAt, e.MayArrive)
		b.save(e)
		b.timer(e.FreeAt, timerRetry, entryID(e.Provider, e.Key))
	default:
		b.tx.Store.Delete(b.t.Key(kindEntry, entryID(e.Provider, e.Key)))
	}
	return nil
}

// write coalesces one write into the outbox.
func (b *box) write(w *pipeline.Write) error {
	e, ok, err := b.entry(w.Provider, w.Key)
	if err != nil {
		return err
	}
	if !ok {
		e = &entry{Kind: schemas.KindWrite, Provider: w.Provider, Account: w.Account, Key: w.Key, Priority: int32(w.Priority)}
	}
	if e.Account != w.Account { // the account was replaced
		if err := b.moveOver(e, w.Account); err != nil {
			return err
		}
	}
	fields := overlay(e.Fields, w.Fields)
	links := e.Associations
	if len(w.Associations) > 0 {
		links = w.Associations
	}
	if n := weight(fields, links); n > itemBytes || n+weight(e.Sent, e.SentLinks) > 2*itemBytes {
		return b.tooLarge(w, n)
	}
	if w.ID != "" {
		e.ID = w.ID
	}
	if e.MayArrive > b.tx.Now { // what goes now is other content than what may still be on its way (P6)
		e.FreeAt = max(e.FreeAt, e.MayArrive)
		b.unqueue(e)
	}
	e.Object, e.IdentityField, e.Identity = w.Object, w.IdentityField, w.Identity
	e.Fields, e.Associations = fields, links
	e.Revision, e.LinkOnly = w.Revision, false
	e.Withdrawn = e.Withdrawn && e.Attempt != "" // what is on its way stays void
	e.Drops, e.Needs = w.Drops, w.Needs
	if !e.Waiting && e.Attempt == "" {
		e.Tries = 0
	}
	return b.wait(e, int32(w.Priority))
}

// enqueue makes a read or a page wait; one that waits already is one.
func (b *box) enqueue(n *entry) error {
	e, ok, err := b.entry(n.Provider, n.Key)
	if err != nil {
		return err
	}
	if !ok {
		e = n
	}
	e.Account, e.Fields = n.Account, n.Fields
	return b.wait(e, n.Priority)
}

// wait marks e as waiting and queues it if nothing of it is under way.
func (b *box) wait(e *entry, priority int32) error {
	if !e.Waiting {
		e.Waiting = true
		if err := b.count(e.Provider, 1); err != nil {
			return err
		}
	}
	if priority < e.Priority { // it jumps the queue
		b.unqueue(e)
	}
	e.Priority = min(e.Priority, priority)
	switch {
	case e.Attempt != "":
	case e.FreeAt > b.tx.Now:
		b.timer(e.FreeAt, timerRetry, entryID(e.Provider, e.Key))
	case e.Seq == 0:
		return b.queue(e)
	}
	b.save(e)
	return nil
}

func (b *box) count(provider string, n int64) error {
	a, ok, err := b.account(provider)
	if err != nil {
		return err
	}
	if !ok {
		a = &account{Provider: provider, Gone: true, GoneAt: b.tx.Now}
	}
	a.Waiting += n
	b.saveAccount(a)
	return nil
}

func (b *box) unqueue(e *entry) {
	if e.Seq != 0 {
		b.tx.Store.Delete(b.t.Key(kindQueue, queueID(e.Provider, e.Priority, e.Seq)))
		e.Seq = 0
	}
}

func (b *box) queue(e *entry) error {
	seq, err := b.tx.NextSequence("outbox")
	if err != nil {
		return err
	}
	e.Seq = int64(seq)
	b.tx.Store.Put(b.t.Key(kindQueue, queueID(e.Provider, e.Priority, e.Seq)), append([]byte{1}, e.Key...))
	b.save(e)
	b.timer(b.tx.Now, timerDispatch, e.Provider)
	return nil
}

// overlay returns base with the fields of top put over it, sorted by name.
func overlay(base, top []schemas.Field) []schemas.Field {
	out := make([]schemas.Field, 0, len(base)+len(top))
	i, j := 0, 0
	for i < len(base) || j < len(top) {
		switch {
		case j == len(top) || i < len(base) && base[i].Name < top[j].Name:
			out = append(out, base[i])
			i++
		case i == len(base) || base[i].Name > top[j].Name:
			out = append(out, top[j])
			j++
		default:
			out = append(out, top[j])
			i++
			j++
		}
	}
	return out
}

// Tick fires a timer of deliver; ok is false for one that is not its own.
func (d *Deliver) Tick(tx *pipeline.Tx, tm pipeline.Timer) (settled []pipeline.Settlement, ok bool, err error) {
	b := d.box(tx, tm.Tenant)
	switch tm.Kind {
	case timerDispatch:
		err = b.dispatch(tm.ID)
	case timerRetry:
		provider, key, _ := strings.Cut(tm.ID, "\x00")
		err = b.retry(provider, key)
	case timerExpire:
		err = b.expire(tm.ID)
	case timerPoll:
		provider, source, _ := strings.Cut(tm.ID, "\x00")
		err = b.poll(provider, source)
	case timerProbe:
		err = b.probe(tm.ID)
	case timerHealth:
		err = b.healthTick(tm.ID)
	default:
		return nil, false, nil
	}
	return b.settled, true, err
}

func (b *box) retry(provider, key string) error {
	e, ok, err := b.entry(provider, key)
	if err != nil || !ok {
		return err
	}
	if e.FreeAt > b.tx.Now {
		b.timer(e.FreeAt, timerRetry, entryID(provider, key))
		return nil
	}
	if !e.Waiting && e.Attempt == "" {
		b.tx.Store.Delete(b.t.Key(kindEntry, entryID(provider, key)))
		return nil
	}
	if e.Waiting && e.Attempt == "" && e.Seq == 0 {
		return b.queue(e)
	}
	return nil
}

func (b *box) probe(provider string) error {
	a, ok, err := b.account(provider)
	if err != nil || !ok || a.Parked == "" || a.ProbeAt > b.tx.Now {
		return err
	}
	a.Probing = true
	b.saveAccount(a)
	return b.dispatch(provider)
}

// Resume repeats what a former owner may have left open, where it may be repeated
// (P4): the CRM knows its identity, or nothing is written by it.
func (d *Deliver) Resume(tx *pipeline.Tx, tenant string) error {
	b := d.box(tx, tenant)
	var open []*schemas.Attempt
	err := tx.Store.Scan(b.t.Prefix(kindAttempt, ""), state.Key{}, func(_ state.Key, raw []byte) (bool, error) {
		at := new(schemas.Attempt)
		if err := attempts.Unmarshal(raw, at); err != nil {
			return false, fmt.Errorf("%w: %w", pipeline.ErrCorrupt, err)
		}
		open = append(open, at)
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, at := range open {
		if at.Kind == schemas.KindWrite && at.Operation == schemas.OpCreate {
			continue // waits until it is over, then is looked up
		}
		if err := b.repeat(at); err != nil {
			return err
		}
	}
	return nil
}

// repeat replaces an open attempt by a new one with the same content. What it names
// may take other content only once the first is over, too (P6).
func (b *box) repeat(old *schemas.Attempt) error {
	again := *old
	var err error
	if again.ID, err = b.tx.NextAttemptID(); err != nil {
		return err
	}
	again.DecidedAt, again.LeaveBy = b.tx.Now, b.tx.Now+leaveWithin
	again.OverBy = again.LeaveBy + overAfter
	again.RepeatOf = &old.ID
	b.tx.Store.Delete(b.t.Key(kindAttempt, old.ID))
	b.tx.Cancel(pipeline.Timer{Due: old.OverBy, Tenant: b.t.Name(), Kind: timerExpire, ID: old.ID})
	for _, it := range old.Items {
		e, ok, err := b.entry(old.Provider, it.Key)
		if err != nil {
			return err
		}
		if ok && e.Attempt == old.ID {
			e.Attempt = again.ID
			if old.Kind == schemas.KindWrite {
				e.FreeAt = max(e.FreeAt, old.OverBy)
			}
			b.save(e)
		}
	}
	b.start(&again)
	return nil
}

// start makes an attempt state, publishes it and hands it to the host (P1).
func (b *box) start(at *schemas.Attempt) {
	put(b, attempts, kindAttempt, at.ID, at)
	b.timer(at.OverBy, timerExpire, at.ID)
	b.tx.Emit(schemas.TopicCRMCommands, at.Tenant+"/"+at.ID, at)
	b.tx.Do(pipeline.Start{Attempt: at})
}
