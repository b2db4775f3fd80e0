package sync

import (
	"strings"

	"github.com/crmstream/crmstream/state"
)

// callsOf goes through the calls in a person's counters, some at a time (P8): id is the
// person NUL the last one that was seen, and a timer of the kind again goes on behind it.
func (w *world) callsOf(id string, again byte, each func(p *person, c *call) error) error {
	pid, after, _ := strings.Cut(id, "\x00")
	p, ok, err := w.load(pid)
	if err != nil || !ok {
		return err
	}
	prefix, from := p.ID+"\x00", state.Key{}
	if after != "" {
		from = w.t.Key(kindMember, prefix+after)
	}
	var ids []string
	err = w.tx.Store.Scan(w.t.Prefix(kindMember, prefix), from, func(k state.Key, _ []byte) (bool, error) {
		ids = append(ids, k.ID()[len(prefix):])
		return len(ids) < releaseAtOnce, nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		c, ok, err := w.getCall(id)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := each(p, c); err != nil {
			return err
		}
	}
	if len(ids) == releaseAtOnce {
		w.timer(w.tx.Now+1, again, prefix+ids[len(ids)-1])
	}
	return nil
}
