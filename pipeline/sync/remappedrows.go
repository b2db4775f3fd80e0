package sync

import (
	"bytes"
	"strings"

	"github.com/crmstream/crmstream/state"
)

// remapRows shows the companies and deals after one as the mapping reads them now, some at
// a time (P8).
func (w *world) remapRows(after string) error {
	from := state.Key{}
	if after != "" {
		from = w.t.Key(kindRow, after)
	}
	var ids []string
	var found []*row
	err := w.tx.Store.Scan(w.t.Prefix(kindRow, ""), from, func(k state.Key, raw []byte) (bool, error) {
		r := new(row)
		if err := rows.Unmarshal(raw, r); err != nil {
			return false, err
		}
		ids, found = append(ids, k.ID()), append(found, r)
		return len(ids) < rowsAtOnce, nil
	})
	if err != nil {
		return err
	}
	for i, id := range ids {
		part := strings.SplitN(id, "\x00", 3)
		provider, _, _ := strings.Cut(part[0], "~")
		p, known := w.profile(provider)
		if len(part) != 3 || part[0] != w.scope(provider) || !known || found[i].Deleted {
			continue
		}
		t, was := w.lines.Table(provider, part[1]), found[i].Shown
		if t == nil {
			continue
		}
		if err := w.tableShow(p, t, part[2], found[i], found[i].At, false); err != nil {
			return err
		}
		if !bytes.Equal(was, found[i].Shown) {
			put(w, rows, kindRow, id, found[i])
		}
	}
	if len(ids) == rowsAtOnce {
		w.timer(w.tx.Now+1, timerLater, laterTables+ids[len(ids)-1])
	}
	return nil
}
