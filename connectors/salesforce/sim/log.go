package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/crmstream/crmstream/connectors/simkit"
)

// The log of an org: one JSON object a line, one write(2) a line, one line a transaction. The line is the change, and the change
// events are rendered from it, so that neither can exist without the other. Exactly one of the members is set.
type logLine struct {
	Org    *OrgConfig `json:"org,omitempty"`    // the org's configuration; the last one counts
	Tx     *logTx     `json:"tx,omitempty"`     // a committed transaction
	Login  *logLogin  `json:"login,omitempty"`  // an access or refresh token was given
	Revoke string     `json:"revoke,omitempty"` // a token's hash is void
	Purge  int64      `json:"purge,omitempty"`  // events up to this replay id are gone before their time
}

// logLogin records a token by its SHA-256, never the token.
type logLogin struct {
	Hash    string `json:"h"`
	User    string `json:"u"`
	App     string `json:"a"`
	At      int64  `json:"t"` // Unix ms
	Refresh bool   `json:"r,omitempty"`
	Parent  string `json:"p,omitempty"` // hash of the refresh token an access token came from
}

type logTx struct {
	At      int64       `json:"t"` // Unix ms
	User    string      `json:"u"`
	Origin  string      `json:"o,omitempty"`
	Key     string      `json:"k"`
	Number  int64       `json:"n"`
	Changes []logChange `json:"c"`
	Events  []logEvent  `json:"e,omitempty"`
}

type logChange struct {
	Op     changeOp        `json:"op"`
	Obj    string          `json:"obj"`
	ID     string          `json:"id"`
	Fields json.RawMessage `json:"f,omitempty"`
	ByNew  bool            `json:"by,omitempty"`
	Still  bool            `json:"st,omitempty"`
}

// logEvent is a change event: Count changes from First on, all of one entity and of equal content.
type logEvent struct {
	Replay int64 `json:"r"`
	First  int   `json:"i"`
	Count  int   `json:"n"`
}

// logged reads a transaction back.
func (o *org) logged(ref *simkit.Ref) (*logTx, error) {
	line, err := o.log.Read(ref)
	if err == nil && line.Tx == nil {
		err = errors.New("reading log: no transaction")
	}
	return line.Tx, err
}

// commit writes the transaction to the log and only then lets its events be seen. On an error everything is rolled back.
func (t *tx) commit() error {
	if len(t.changes) == 0 {
		return nil
	}
	o := t.o
	out := logTx{At: t.at.UnixMilli(), User: t.by.user, Origin: t.by.origin, Key: newUUID(), Number: o.nextCommitNumber(t.at)}
	replay := o.lastReplay + 1 // one id is left out before each transaction: ids are not to be computed
	for i, c := range t.changes {
		lc := logChange{Op: c.op, Obj: c.obj.name, ID: c.id, Fields: encodeAssigns(c.fields), ByNew: c.byNew, Still: c.still}
		out.Changes = append(out.Changes, lc)
		if c.quiet || !o.cdc[c.obj] {
			continue
		}
		if n := len(out.Events); n > 0 && out.Events[n-1].First+out.Events[n-1].Count == i && sameChange(out.Changes[i-1], lc) {
			out.Events[n-1].Count++
			continue
		}
		replay++
		out.Events = append(out.Events, logEvent{Replay: replay, First: i, Count: 1})
	}
	ref, err := o.log.Append(logLine{Tx: &out})
	if err != nil {
		t.rollback()
		return err
	}
	o.addEvents(&out, ref)
	t.undo = nil
	return nil
}

// sameChange reports whether two rows of a transaction are told by one event.
func sameChange(a, b logChange) bool {
	return a.Op == b.Op && a.Obj == b.Obj && a.ByNew == b.ByNew && a.ID != b.ID && (a.Op == opDelete || a.Op != opUndelete && bytes.Equal(a.Fields, b.Fields))
}

func encodeAssigns(fields []assign) json.RawMessage {
	if len(fields) == 0 {
		return nil
	}
	b := []byte{'{'}
	for i, a := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, a.f.name)
		b = append(b, ':')
		b = appendScalar(b, a.f, a.v)
	}
	return append(b, '}')
}

// decodeAssigns is the inverse, in table order. A field that the table no longer has is left out.
func decodeAssigns(o *object, raw json.RawMessage) ([]assign, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("reading fields: %w", err)
	}
	out := make([]assign, 0, len(m))
	for name, rv := range m {
		f := o.byName[name]
		if f == nil || !f.stored() {
			continue
		}
		v, err := f.fromLog(rv)
		if err != nil {
			return nil, err
		}
		out = append(out, assign{f, v})
	}
	slices.SortFunc(out, func(a, b assign) int { return a.f.idx - b.f.idx })
	return out, nil
}

// redo applies a logged transaction to the tables.
func (o *org) redo(t *logTx, ref *simkit.Ref) error {
	sec := time.UnixMilli(t.At).Unix()
	for _, c := range t.Changes {
		obj := objects[c.Obj]
		if obj == nil {
			return fmt.Errorf("unknown object %q", c.Obj)
		}
		fields, err := decodeAssigns(obj, c.Fields)
		if err != nil {
			return fmt.Errorf("%s %s: %w", c.Obj, c.ID, err)
		}
		tab := o.tables[obj]
		var r *record
		if c.Op == opCreate {
			r = &record{id: c.ID, created: sec, createdBy: t.User, vals: make([]any, len(obj.stored))}
			tab.sawID(c.ID, o.pod)
		} else {
			old := tab.find(c.ID)
			if old == nil {
				return fmt.Errorf("%s %s of a record that does not exist", c.Op, c.ID)
			}
			r = old.clone()
		}
		for _, a := range fields {
			r.vals[a.f.idx] = a.v
		}
		r.stamp = sec
		if !c.Still {
			r.modified, r.modifiedBy = sec, t.User
		}
		switch c.Op {
		case opDelete:
			r.deleted = true
		case opUndelete:
			r.deleted = false
		}
		tab.put(r)
	}
	o.commitNumber = max(o.commitNumber, t.Number)
	o.addEvents(t, ref)
	return nil
}
