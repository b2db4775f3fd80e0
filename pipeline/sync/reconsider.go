package sync

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// timerReconsider: entry of what is held, or "" for the first; those after it are looked
// at again, for the configuration has changed.
const timerReconsider byte = '9'

// reconsiders reports whether what is held under one configuration may go its way under
// another.
func reconsiders(old, now *schemas.TenantConfig) bool {
	if old.Country != now.Country || old.Calls.CreateLead != now.Calls.CreateLead || old.Calls.NoLookup != now.Calls.NoLookup || !slices.Equal(old.Dedupe, now.Dedupe) {
		return true
	}
	return slices.ContainsFunc(now.Accounts, func(a schemas.Account) bool {
		return !slices.ContainsFunc(old.Accounts, func(b schemas.Account) bool { return a.Provider == b.Provider && a.ID == b.ID })
	})
}

// reconsider decides anew about held calls after an entry of what they wait for, some at
// a time (P8): a change of configuration may let a million of them go. What is decided as
// before is left alone.
func (w *world) reconsider(after string) error {
	from := state.Key{}
	if after != "" {
		from = w.t.Key(kindHeld, after)
	}
	var entries []string
	err := w.tx.Store.Scan(w.t.Prefix(kindHeld, ""), from, func(k state.Key, _ []byte) (bool, error) {
		entries = append(entries, k.ID())
		return len(entries) < releaseAtOnce, nil
	})
	if err != nil {
		return err
	}
	for _, entry := range entries {
		id := entry[strings.LastIndexByte(entry, 0)+1:]
		if strings.HasPrefix(id, heldEvent) {
			continue // it waits for its person, whatever the configuration is
		}
		c, ok, err := w.getCall(id)
		if err != nil {
			return err
		}
		if !ok || c.Status != schemas.StatusHeld {
			continue
		}
		why := c.Reason
		if err := w.weigh(c); err != nil {
			return err
		}
		if c.Status == schemas.StatusHeld && c.Reason == why {
			continue
		}
		put(w, calls, kindCall, id, c)
		w.publishCall(c)
	}
	if len(entries) == releaseAtOnce {
		w.timer(w.tx.Now+1, timerReconsider, entries[len(entries)-1])
	}
	return nil
}
