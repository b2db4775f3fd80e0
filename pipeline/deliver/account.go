package deliver

import (
	"fmt"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// voidAtOnce is how many entries of a lost account end in one tick (P8).
const voidAtOnce = 100

// configure takes over a tenant's accounts.
//
// An account with another id is another CRM: it is read from its beginning, and what
// was decided for the old one never goes to the new one. An account that was taken
// out of the configuration may have been taken out by mistake: what waits for it
// waits for a day, and goes out if it is put back with the same id. After that, each
// write is a dead letter, which redrive decides anew.
func (b *box) configure(c *schemas.TenantConfig) error {
	configured := make(map[string]bool)
	for _, ca := range c.Accounts {
		p, known := b.d.profiles[ca.Provider]
		if !known {
			continue
		}
		configured[ca.Provider] = true
		a, ok, err := b.account(ca.Provider)
		if err != nil {
			return err
		}
		if !ok {
			a = &account{Provider: ca.Provider}
		}
		replaced := a.ID != "" && a.ID != ca.ID
		if replaced {
			a.Ailing = ""
		}
		if a.Gone {
			a.State = "" // whatever comes first is news
		}
		a.ID, a.ConfigVersion, a.Gone, a.Parked, a.PausedUntil, a.Failures, a.Refused, a.ProbeAt = ca.ID, c.Version, false, "", 0, 0, 0, 0
		a.Off = off(c, ca.Provider)
		if replaced {
			a.Again = nil
		}
		b.saveAccount(a)
		for i := range p.Sources {
			if replaced {
				if err := b.rewind(ca.Provider, p.Sources[i].Name); err != nil {
					return err
				}
			}
			if err := b.poll(ca.Provider, p.Sources[i].Name); err != nil {
				return err
			}
		}
		b.timer(b.tx.Now, timerDispatch, ca.Provider)
	}
	for _, provider := range b.d.order {
		a, ok, err := b.account(provider)
		if err != nil {
			return err
		}
		if ok && !configured[provider] && !a.Gone {
			a.Gone, a.GoneAt = true, b.tx.Now
			if err := b.health(a); err != nil {
				return err
			}
			b.saveAccount(a)
			b.timer(b.tx.Now, timerDispatch, provider)
		}
	}
	return nil
}

// rewind forgets how far a source was read.
func (b *box) rewind(provider, source string) error {
	id := provider + "\x00" + source
	cur, ok, err := get(b, cursors, kindCursor, id)
	if err != nil {
		return err
	}
	if ok && cur.PollAt != 0 {
		b.tx.Cancel(pipeline.Timer{Due: cur.PollAt, Tenant: b.t.Name(), Kind: timerPoll, ID: id})
	}
	put(b, cursors, kindCursor, id, &cursor{})
	return nil
}

// abandon ends what waits for an account that is gone, once its day is over.
func (b *box) abandon(a *account) error {
	if end := a.GoneAt + goneFor; b.tx.Now < end {
		if a.Waiting > 0 {
			b.timer(end, timerDispatch, a.Provider)
		}
		return nil
	}
	var keys []string
	err := b.tx.Store.Scan(b.t.Prefix(kindQueue, a.Provider+"\x00"), state.Key{}, func(_ state.Key, v []byte) (bool, error) {
		keys = append(keys, string(v[1:]))
		return len(keys) < voidAtOnce, nil
	})
	if err != nil {
		return err
	}
	for _, key := range keys {
		e, ok, err := b.entry(a.Provider, key)
		if err != nil {
			return err
		}
		if ok {
			b.void(a, e, "the account "+a.ID+" was taken out of the configuration a day ago: put it back, then redrive")
		}
	}
	if len(keys) == voidAtOnce {
		b.timer(b.tx.Now+1, timerDispatch, a.Provider)
	}
	return b.flush(a.Provider)
}

// foreign reports whether an entry is for an account that another one has replaced.
func foreign(a *account, e *entry) bool { return e.Account != "" && e.Account != a.ID }

func replacedBy(e *entry, id string) string {
	return fmt.Sprintf("it was decided for the account %s, which %s has replaced; redrive decides anew for the new one", e.Account, id)
}

// void ends what waits of an entry whose account is lost: a write is dead-lettered
// and said to sync, a read or a page has nobody to ask. The caller saves a.
func (b *box) void(a *account, e *entry, why string) {
	b.unqueue(e)
	if e.Waiting {
		e.Waiting = false
		a.Waiting--
		if e.Kind == schemas.KindWrite {
			b.lost(e, why, e.Fields, e.Associations, e.Revision)
		}
	}
	e.Fields, e.Associations, e.LinkOnly = nil, nil, false
	if e.Attempt != "" {
		b.save(e)
		return
	}
	b.tx.Store.Delete(b.t.Key(kindEntry, entryID(e.Provider, e.Key)))
}

// lost dead-letters a write of a lost account.
func (b *box) lost(e *entry, why string, fields []schemas.Field, links []schemas.Link, revision int64) {
	d := &schemas.DeadLetter{Tenant: b.t.Name(), Reason: schemas.ReasonCredentialLost, Message: why, RecordKey: e.Provider + "/" + e.Key,
		Topic: schemas.TopicControlTenants, Partition: b.tx.Partition, Tries: e.Tries, At: b.tx.Now,
		Attempt: &schemas.Attempt{Tenant: b.t.Name(), Provider: e.Provider, Account: e.Account, Kind: e.Kind, Operation: operation(e), Object: e.Object,
			Items: []schemas.AttemptItem{{Key: e.Key, ID: e.ID, IdentityField: e.IdentityField, Identity: e.Identity, Fields: fields, Associations: links}}}}
	b.tx.Emit(schemas.TopicDeadLetters, pipeline.DeadLetterKey(d), d)
	b.ended.Errors++
	b.settled = append(b.settled, pipeline.Settlement{Ref: pipeline.Ref{Provider: e.Provider, Key: e.Key}, Account: e.Account, Status: schemas.StatusError,
		Reason: schemas.ReasonCredentialLost, Message: why, Revision: revision, Object: e.Object, Fields: fields})
}

// moveOver makes an entry of a replaced account one of the new account: what waits
// ends, what is on its way ends with its answer, and what was known of the record in
// the old account counts no more.
func (b *box) moveOver(e *entry, id string) error {
	a, ok, err := b.account(e.Provider)
	if err != nil || !ok {
		return err
	}
	b.void(a, e, replacedBy(e, id))
	b.saveAccount(a)
	e.Account, e.ID, e.Unsure, e.MaxBatch, e.FreeAt, e.MayArrive = id, "", "", 0, 0, 0
	return b.flush(e.Provider)
}
