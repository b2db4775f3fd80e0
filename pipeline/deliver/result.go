package deliver

import (
	"hash/fnv"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// result moves the outbox by the answer of an open attempt. A late one, of an
// attempt that is closed, moves nothing: sync has learned from it what it teaches.
func (b *box) result(r *schemas.AttemptResult) error {
	at, ok, err := get(b, attempts, kindAttempt, r.AttemptID)
	if err != nil || !ok {
		return err
	}
	return b.close(at, r)
}

// expire closes an attempt that is over without an answer: nobody knows what became
// of it.
func (b *box) expire(id string) error {
	at, ok, err := get(b, attempts, kindAttempt, id)
	if err != nil || !ok {
		return err
	}
	r := &schemas.AttemptResult{AttemptID: id, Provider: at.Provider, Kind: at.Kind, Error: schemas.ErrTransient, Message: "no answer came in time"}
	for _, it := range at.Items {
		r.Items = append(r.Items, schemas.ItemResult{Key: it.Key, Outcome: schemas.Unknown, Error: schemas.ErrTransient, Message: r.Message})
	}
	return b.close(at, r)
}

func (b *box) close(at *schemas.Attempt, r *schemas.AttemptResult) error {
	b.tx.Store.Delete(b.t.Key(kindAttempt, at.ID))
	b.tx.Cancel(pipeline.Timer{Due: at.OverBy, Tenant: b.t.Name(), Kind: timerExpire, ID: at.ID})
	a, ok, err := b.account(at.Provider)
	if err != nil {
		return err
	}
	if !ok {
		a = &account{Provider: at.Provider, ID: at.Account, Gone: true, GoneAt: b.tx.Now}
	}
	a.Open = max(0, a.Open-1)
	if err := b.addOpen(-1); err != nil {
		return err
	}
	if at.Account == a.ID { // another account's trouble is not this one's
		repeated, err := b.repeated(at)
		if err != nil {
			return err
		}
		b.judge(a, r, repeated)
	}
	b.saveAccount(a)
	for i := range at.Items {
		ir := schemas.ItemResult{Key: at.Items[i].Key, Outcome: schemas.Unknown, Error: schemas.ErrTransient, Message: "the answer does not name it"}
		if i < len(r.Items) && r.Items[i].Key == at.Items[i].Key {
			ir = r.Items[i]
		}
		if err := b.item(at, &at.Items[i], &ir, r); err != nil {
			return err
		}
	}
	if err := b.flush(at.Provider); err != nil {
		return err
	}
	if a, ok, err = b.account(at.Provider); err != nil {
		return err
	} else if ok && !a.Gone {
		if err := b.health(a); err != nil {
			return err
		}
		b.saveAccount(a)
	}
	b.timer(b.tx.Now, timerDispatch, at.Provider)
	return b.passOn()
}

// repeated reports whether an attempt only read what could not be read before: that
// it fails again says nothing new of the account, and must not keep others waiting.
func (b *box) repeated(at *schemas.Attempt) (bool, error) {
	if at.Kind == schemas.KindWrite {
		return false, nil
	}
	for i := range at.Items {
		e, ok, err := b.entry(at.Provider, at.Items[i].Key)
		if err != nil {
			return false, err
		}
		if ok && e.Tries == 0 {
			return false, nil
		}
	}
	return true, nil
}

// judge draws the account's consequences from the request as a whole.
func (b *box) judge(a *account, r *schemas.AttemptResult, repeated bool) {
	switch r.Error {
	case "":
		a.Failures, a.Parked, a.Refused = 0, "", 0
		a.LastSync = b.tx.Now
	case schemas.ErrThrottled:
		a.PausedUntil = max(a.PausedUntil, b.tx.Now+min(max(r.RetryAfterMs, 1000), waitMost))
	case schemas.ErrAuth:
		a.Parked = r.Error + ": " + r.Message
		if a.ProbeAt <= b.tx.Now { // those that were on their way together are one refusal
			a.Refused++
		}
	case schemas.ErrForbidden:
		a.Parked = r.Error + ": " + r.Message
	case schemas.ErrTransient:
		if repeated {
			break
		}
		a.Failures++
		if a.Failures >= breakerAt {
			a.PausedUntil = max(a.PausedUntil, b.tx.Now+breakerHold)
		}
	case schemas.ErrAborted: // nobody took it: not at once again
		a.PausedUntil = max(a.PausedUntil, b.tx.Now+abortedHold)
	}
	if a.Parked != "" && a.ProbeAt <= b.tx.Now {
		pause := int64(parkProbe)
		if a.Refused >= lostAfter {
			pause = lostProbe
		}
		a.ProbeAt = b.tx.Now + pause
		b.timer(a.ProbeAt, timerProbe, a.Provider)
	}
}

// item moves one entry by its outcome.
func (b *box) item(at *schemas.Attempt, sent *schemas.AttemptItem, r *schemas.ItemResult, whole *schemas.AttemptResult) error {
	e, ok, err := b.entry(at.Provider, sent.Key)
	if err != nil || !ok || e.Attempt != at.ID {
		return err
	}
	e.Attempt = ""
	class := r.Error
	switch {
	case e.Account != "" && e.Account != at.Account: // it was made one of the account that replaced this one
		return b.former(at, e, r)
	case at.Kind == schemas.KindPage && whole.Error == "":
		return b.pageRead(at, e)
	case r.Outcome == schemas.Sent && class == "":
		return b.done(at, e, r)
	case r.Outcome == schemas.NotSent && class == "":
		return b.again(e, b.tx.Now+abortedHold) // the answer does not say why
	case r.Outcome == schemas.NotSent && class != schemas.ErrPermanent && class != schemas.ErrBatch && class != schemas.ErrDuplicates:
		return b.again(e, b.retryAt(whole))
	case r.Outcome == schemas.Unknown:
		e.Unsure = at.ID
		if at.Kind == schemas.KindWrite {
			e.MayArrive = max(e.MayArrive, at.OverBy)
			switch {
			case at.Operation == schemas.OpCreate:
				e.FreeAt = max(e.FreeAt, at.OverBy+indexLag)
			case e.Waiting:
				e.FreeAt = max(e.FreeAt, at.OverBy)
			}
		}
		return b.try(at, e, r)
	}
	switch class {
	case schemas.ErrThrottled, schemas.ErrAborted:
		return b.again(e, b.retryAt(whole))
	case schemas.ErrAuth, schemas.ErrForbidden:
		if whole.Error == "" { // of this record alone (B37)
			return b.giveUp(at, e, r, schemas.ReasonRefused)
		}
		return b.again(e, b.tx.Now)
	case schemas.ErrTransient:
		return b.try(at, e, r)
	case schemas.ErrBatch, schemas.ErrDuplicates:
		if len(at.Items) == 1 {
			return b.giveUp(at, e, r, schemas.ReasonRefused)
		}
		e.MaxBatch = int32(len(at.Items) / 2)
		if class == schemas.ErrDuplicates {
			e.MaxBatch = 1
		}
		return b.again(e, b.tx.Now)
	case schemas.ErrConflict:
		switch {
		case r.ID == "" || r.ID == e.ID:
		case at.Operation == schemas.OpUpdate: // another record has what must be unique: it is not this one
			return b.giveUp(at, e, r, schemas.ReasonRefused)
		default:
			e.ID = r.ID
			return b.again(e, b.tx.Now)
		}
		return b.try(at, e, r)
	case schemas.ErrNotFound:
		if at.Kind == schemas.KindPage {
			return b.giveUp(at, e, r, schemas.ReasonRefused)
		}
		return b.gone(at, e, sent, r)
	default:
		if b.drop(at, e, r) {
			return b.dropped(at, e, r)
		}
		return b.giveUp(at, e, r, schemas.ReasonRefused)
	}
}

// retryAt is when what cost no try goes again: the account's own state says when; if
// the request as a whole did not fail, not at once.
func (b *box) retryAt(whole *schemas.AttemptResult) int64 {
	if whole.Error == "" {
		return b.tx.Now + abortedHold
	}
	return b.tx.Now
}

// former ends what was on its way to an account that was replaced meanwhile.
func (b *box) former(at *schemas.Attempt, e *entry, r *schemas.ItemResult) error {
	if at.Kind == schemas.KindWrite {
		st := pipeline.Settlement{Ref: pipeline.Ref{Provider: e.Provider, Key: e.Key}, Account: at.Account, ID: r.ID, URL: r.URL, Status: schemas.StatusSynced,
			Revision: e.SentRevision, Object: e.Object, Fields: e.Sent}
		if r.Outcome == schemas.Sent && r.Error == "" {
			b.settled = append(b.settled, st)
		} else {
			old := *e
			old.Account = at.Account
			b.lost(&old, replacedBy(&old, e.Account), e.Sent, e.SentLinks, e.SentRevision)
		}
	}
	return b.free(e)
}

// done settles what the CRM took, and goes on with what came meanwhile.
func (b *box) done(at *schemas.Attempt, e *entry, r *schemas.ItemResult) error {
	if r.ID != "" {
		e.ID = r.ID
	}
	if at.Kind == schemas.KindWrite {
		if at.Operation != schemas.OpLink && len(e.SentLinks) > 0 && !r.Linked {
			// The write carried no links: they follow by id, and only then is it logged.
			if !e.Waiting {
				e.LinkOnly = true
			}
			if len(e.Associations) == 0 {
				e.Associations = e.SentLinks
			}
			e.Tries, e.Unsure = 0, ""
			e.FreeAt = max(e.FreeAt, e.MayArrive) // links are other content than what may still be on its way (P6)
			e.Revision = max(e.Revision, e.SentRevision)
			e.Fields = overlay(nil, e.Fields)
			return b.wait(e, e.Priority)
		}
		b.ended.Synced++
		b.ended.LatencyMs += max(0, b.tx.Now-at.DecidedAt)
		b.settled = append(b.settled, pipeline.Settlement{Ref: pipeline.Ref{Provider: e.Provider, Key: e.Key}, Account: at.Account, Status: schemas.StatusSynced,
			ID: e.ID, URL: r.URL, Revision: e.SentRevision, Object: e.Object, Fields: e.Sent})
	}
	return b.free(e)
}

// free lets an entry go on with what waits, or ends it.
func (b *box) free(e *entry) error {
	e.Sent, e.SentLinks, e.Tries, e.MaxBatch, e.Unsure, e.Reported, e.Withdrawn = nil, nil, 0, 0, "", false, false
	e.FreeAt = max(e.FreeAt, e.MayArrive)
	switch {
	case e.FreeAt > b.tx.Now:
		b.save(e)
		b.timer(e.FreeAt, timerRetry, entryID(e.Provider, e.Key))
		return nil
	case e.Waiting:
		return b.queue(e)
	}
	b.tx.Store.Delete(b.t.Key(kindEntry, entryID(e.Provider, e.Key)))
	return nil
}

// again puts what was sent back under what waits, to go out at due.
func (b *box) again(e *entry, due int64) error {
	if e.Withdrawn {
		return b.free(e)
	}
	e.Fields = overlay(e.Sent, e.Fields)
	if len(e.Associations) == 0 {
		e.Associations = e.SentLinks
	}
	e.Revision = max(e.Revision, e.SentRevision)
	e.Sent, e.SentLinks = nil, nil
	if !e.Waiting {
		e.Waiting = true
		if err := b.count(e.Provider, 1); err != nil {
			return err
		}
	}
	if due = max(due, e.FreeAt); due <= b.tx.Now {
		return b.queue(e)
	}
	b.save(e)
	b.timer(due, timerRetry, entryID(e.Provider, e.Key))
	return nil
}

// try counts a try that reached the CRM and waits 1, 2, 4, 8, 16 s before the next.
// One record can make a whole request fail each time: a batch that fails again is
// halved, and the last try is each one's own.
func (b *box) try(at *schemas.Attempt, e *entry, r *schemas.ItemResult) error {
	if at.Kind == schemas.KindPage {
		reason := ""
		if e.Tries >= maxTries {
			reason = schemas.ReasonTriesUsedUp
		}
		return b.pageFailed(at, e, r, reason, 1000, pageMost)
	}
	e.Tries++
	if e.Tries > maxTries {
		return b.giveUp(at, e, r, schemas.ReasonTriesUsedUp)
	}
	if n := len(at.Items); n > 1 && e.Tries > 1 {
		e.MaxBatch = int32(n / 2)
		if e.Tries == maxTries {
			e.MaxBatch = 1
		}
	}
	wait := int64(1000) << min(e.Tries-1, 5)
	return b.again(e, b.tx.Now+wait+jitter(at.ID, e.Key, wait/4))
}

// jitter is a number below n that the same attempt and record always give.
func jitter(attempt, key string, n int64) int64 {
	h := fnv.New64a()
	h.Write([]byte(attempt))
	h.Write([]byte{0})
	h.Write([]byte(key))
	return int64(h.Sum64() % uint64(max(n, 1)))
}

// gone settles a record that the CRM no longer has.
func (b *box) gone(at *schemas.Attempt, e *entry, sent *schemas.AttemptItem, r *schemas.ItemResult) error {
	b.settled = append(b.settled, pipeline.Settlement{Ref: pipeline.Ref{Provider: e.Provider, Key: e.Key}, Account: at.Account, Status: schemas.StatusCRMDeleted,
		ID: sent.ID, Object: e.Object, Reason: schemas.ReasonDeletedInCRM, Message: r.Message, Revision: max(e.SentRevision, e.Revision)})
	e.Fields, e.Associations = nil, nil
	if e.Waiting {
		e.Waiting = false
		if err := b.count(e.Provider, -1); err != nil {
			return err
		}
	}
	return b.free(e)
}

// giveUp dead-letters what was sent; what came meanwhile goes on.
func (b *box) giveUp(at *schemas.Attempt, e *entry, r *schemas.ItemResult, reason string) error {
	if at.Kind == schemas.KindPage {
		return b.pageFailed(at, e, r, reason, parkProbe, refusedMost)
	}
	if at.Kind == schemas.KindFind { // what waits for the person says so itself, and asks again tomorrow
		b.ended.Errors++
		return b.free(e)
	}
	if at.Kind == schemas.KindWrite && at.Operation != schemas.OpUpdate && at.Operation != schemas.OpLink && e.Waiting && e.ID == "" && !e.Withdrawn {
		// Nothing is there yet, and what waits says only what is otherwise: it goes as a whole.
		e.Tries, e.MaxBatch = 0, 0
		return b.again(e, b.tx.Now)
	}
	last := *at
	last.Items = nil
	for _, it := range at.Items {
		if it.Key == e.Key {
			last.Items = append(last.Items, it)
		}
	}
	d := &schemas.DeadLetter{Tenant: b.t.Name(), Reason: reason, Message: r.Message, Code: r.Code, Fields: r.Fields, RecordKey: e.Provider + "/" + e.Key,
		Topic: schemas.TopicCRMResults, Partition: b.tx.Partition, Attempt: &last, Tries: e.Tries, At: b.tx.Now}
	b.tx.Emit(schemas.TopicDeadLetters, pipeline.DeadLetterKey(d), d)
	b.ended.Errors++
	if at.Kind == schemas.KindWrite {
		st := pipeline.Settlement{Ref: pipeline.Ref{Provider: e.Provider, Key: e.Key}, Account: at.Account, Status: schemas.StatusError, ID: e.ID,
			Reason: reason, Code: r.Code, Message: r.Message, Revision: e.SentRevision, Object: e.Object, Fields: e.Sent, Named: r.Fields}
		if r.Error == schemas.ErrConflict && at.Operation == schemas.OpUpdate && r.ID != e.ID {
			st.Taken = r.ID
		}
		b.settled = append(b.settled, st)
	}
	return b.free(e)
}
