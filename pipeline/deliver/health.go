package deliver

import (
	"strconv"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

const (
	anHour      = 60 * 60_000
	hours       = 24
	healthEvery = 5 * 60_000 // at most, while nothing but figures changes
)

// figures is what an account did in the last 24 hours, by the hour of the clock.
type figures struct {
	Hours []hour `avro:"hours"` // in order, none that is older
}

type hour struct {
	Hour      int64 `avro:"hour"` // since 1970
	Synced    int64 `avro:"synced"`
	Errors    int64 `avro:"errors"`
	LatencyMs int64 `avro:"latency_ms"` // sum, from decision to answer, of what was synced
}

// flush adds to an account's figures what came to an end in this unit of work.
func (b *box) flush(provider string) error {
	if b.ended == (hour{}) {
		return nil
	}
	f, err := b.figures(provider)
	if err != nil {
		return err
	}
	now := b.tx.Now / anHour
	if n := len(f.Hours); n == 0 || f.Hours[n-1].Hour != now {
		f.Hours = append(f.Hours, hour{Hour: now})
	}
	h := &f.Hours[len(f.Hours)-1]
	h.Synced += b.ended.Synced
	h.Errors += b.ended.Errors
	h.LatencyMs += b.ended.LatencyMs
	b.ended = hour{}
	put(b, tables, kindFigures, provider, f)
	return nil
}

// figures returns what is left of the last 24 hours.
func (b *box) figures(provider string) (*figures, error) {
	f, ok, err := get(b, tables, kindFigures, provider)
	if err != nil {
		return nil, err
	}
	if !ok {
		return &figures{}, nil
	}
	oldest := b.tx.Now/anHour - hours
	i := 0
	for i < len(f.Hours) && f.Hours[i].Hour <= oldest {
		i++
	}
	f.Hours = f.Hours[i:]
	return f, nil
}

func (f *figures) sum() (s hour) {
	for i := range f.Hours {
		s.Synced += f.Hours[i].Synced
		s.Errors += f.Hours[i].Errors
		s.LatencyMs += f.Hours[i].LatencyMs
	}
	return s
}

// health publishes the account's state when it has changed, and what else has changed
// at most every five minutes. The caller saves a.
func (b *box) health(a *account) error {
	if st, _, _ := b.condition(a); st != a.State {
		return b.publish(a)
	}
	return b.refresh(a)
}

// refresh publishes figures that are not those that were published last, if that was
// some time ago; else it is done then.
func (b *box) refresh(a *account) error {
	f, err := b.figures(a.Provider)
	if err != nil {
		return err
	}
	sum := f.sum()
	switch {
	case sum.Synced == a.ShownSynced && sum.Errors == a.ShownErrors && a.Waiting == a.ShownWaiting && len(a.Again) == 0:
		return nil
	case b.tx.Now < a.HealthAt+healthEvery:
		b.timer(a.HealthAt+healthEvery, timerHealth, a.Provider)
		return nil
	}
	return b.publish(a)
}

// drift takes over how many mapped fields are not as the CRM describes them, and says it
// at once.
func (b *box) drift(d pipeline.Drift) error {
	a, ok, err := b.account(d.Provider)
	if err != nil || !ok {
		return err
	}
	if a.Drift = d.Open; !a.Gone {
		if err := b.publish(a); err != nil {
			return err
		}
	}
	b.saveAccount(a)
	return nil
}

func (b *box) condition(a *account) (st, cause, breaker string) {
	st, breaker = "well", "closed"
	switch {
	case a.Gone:
		st, cause = "removed", "the account is not in the configuration"
	case a.Parked != "" && a.Refused >= lostAfter:
		st, cause = "credential_lost", a.Parked
	case a.Parked != "":
		st, cause = "parked", a.Parked
	case a.Failures >= breakerAt:
		st, cause, breaker = "slow", "requests fail", "open"
	case a.PausedUntil > b.tx.Now:
		st, cause = "slow", "the CRM's limit"
	case a.Ailing != "":
		st, cause = "slow", "the source "+a.Ailing+" can't be read"
	case a.Drift == 1:
		cause = "a mapped field is not as the CRM describes it: crmstream conflicts list --tenant " + b.t.Name()
	case a.Drift > 0:
		cause = strconv.Itoa(int(a.Drift)) + " mapped fields are not as the CRM describes them: crmstream conflicts list --tenant " + b.t.Name()
	}
	return st, cause, breaker
}

func (b *box) publish(a *account) error {
	f, err := b.figures(a.Provider)
	if err != nil {
		return err
	}
	st, cause, breaker := b.condition(a)
	sum := f.sum()
	a.State, a.HealthAt, a.ShownSynced, a.ShownErrors, a.ShownWaiting = st, b.tx.Now, sum.Synced, sum.Errors, a.Waiting
	h := &schemas.SyncHealth{Tenant: b.t.Name(), Provider: a.Provider, RecordsSyncedLast24h: sum.Synced, PendingRecords: a.Waiting,
		ConsecutiveFailures: a.Failures, CircuitBreakerState: breaker, State: st, Cause: cause, At: b.tx.Now, Rereading: a.rereadings(), Drift: a.Drift}
	if a.LastSync > 0 {
		last := a.LastSync
		h.LastSyncAt = &last
	}
	if total := sum.Synced + sum.Errors; total > 0 {
		h.ErrorRateLast24h = 100 * float64(sum.Errors) / float64(total)
	}
	if sum.Synced > 0 {
		h.AvgSyncLatencyMs = float64(sum.LatencyMs) / float64(sum.Synced)
	}
	b.tx.Emit(schemas.TopicSyncHealth, h.Tenant+"/"+h.Provider, h)
	if len(f.Hours) > 0 { // when the first of them is no longer of the last 24
		b.timer((f.Hours[0].Hour+hours)*anHour, timerHealth, a.Provider)
	}
	return nil
}

// healthTick publishes what has changed since.
func (b *box) healthTick(provider string) error {
	a, ok, err := b.account(provider)
	if err != nil || !ok {
		return err
	}
	if err := b.refresh(a); err != nil {
		return err
	}
	b.saveAccount(a)
	return nil
}
