package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// actor is who writes and how: it becomes LastModifiedById, and the commitUser and changeOrigin of the events.
type actor struct{ user, origin string }

// Origins of the UI and of lead conversion in it.
const uiOrigin = "com/salesforce/api/soap/63.0;client=SfdcInternalAPI/"

// tx is one transaction: rows are checked and applied to the tables one by one, then commit writes them to the log as a whole.
// Until then nobody else sees them, because the org's mutex is held from begin to commit or rollback.
type tx struct {
	o       *org
	by      actor
	at      time.Time
	changes []change
	undo    []func()
	applied []applied
}

// applied says which item of a request went into which record.
type applied struct {
	item   int
	record string
}

// change is one row of a transaction as the log and the events have it.
type change struct {
	op     changeOp
	obj    *object
	id     string
	fields []assign // new values of what changed, in table order; all that are set, for a create
	byNew  bool     // LastModifiedById changed
	quiet  bool     // no event
	still  bool     // LastModifiedDate stays (a converted lead)
}

type changeOp string

const (
	opCreate   changeOp = "CREATE"
	opUpdate   changeOp = "UPDATE"
	opDelete   changeOp = "DELETE"
	opUndelete changeOp = "UNDELETE"
)

type assign struct {
	f *field
	v any
}

func (o *org) begin(by actor) *tx { return &tx{o: o, by: by, at: o.srv.now()} }

// put applies r and remembers how to take it back.
func (t *tx) put(tab *table, r *record) {
	old := tab.put(r)
	if old == nil {
		t.undo = append(t.undo, func() { tab.drop(r.id) })
		return
	}
	t.undo = append(t.undo, func() { tab.put(old) })
}

// rollback takes back every row. Ids given out stay used, as the vendor's do.
func (t *tx) rollback() {
	for _, u := range slices.Backward(t.undo) {
		u()
	}
	t.undo, t.changes, t.applied = nil, nil, nil
}

// insert creates a record from a request's fields.
func (t *tx) insert(o *object, body map[string]any) (string, *apiError) {
	if o.readOnly {
		return "", badRequest("INVALID_TYPE_FOR_OPERATION", "entity type "+o.name+" does not support create")
	}
	if err := t.o.injectedItemError(o); err != nil {
		return "", err
	}
	assigns, err := t.o.prepare(o, body, true)
	if err != nil {
		return "", err
	}
	return t.create(o, assigns)
}

// create makes a record of checked assignments.
func (t *tx) create(o *object, assigns []assign) (string, *apiError) {
	r := &record{vals: make([]any, len(o.stored))}
	for _, f := range o.stored {
		r.vals[f.idx] = f.def
	}
	if f := o.byName["OwnerId"]; f != nil {
		r.vals[f.idx] = t.by.user
	}
	for _, a := range assigns {
		r.vals[a.f.idx] = a.v
		if a.v == nil && a.f.def != nil { // an explicit null on create takes the default
			r.vals[a.f.idx] = a.f.def
		}
	}
	if err := t.check(o, nil, r); err != nil {
		return "", err
	}
	tab := t.o.tables[o]
	r.id = tab.newID(t.o.pod)
	sec := t.at.Unix()
	r.created, r.modified, r.stamp = sec, sec, sec
	r.createdBy, r.modifiedBy = t.by.user, t.by.user
	t.put(tab, r)
	t.changes = append(t.changes, change{op: opCreate, obj: o, id: r.id, fields: diff(o, nil, r)})
	return r.id, nil
}

// update changes a record by the fields of a request.
func (t *tx) update(o *object, id string, body map[string]any) *apiError {
	if o.readOnly {
		return badRequest("INVALID_TYPE_FOR_OPERATION", "entity type "+o.name+" does not support update")
	}
	if err := t.o.injectedItemError(o); err != nil {
		return err
	}
	assigns, err := t.o.prepare(o, body, false)
	if err != nil {
		return err
	}
	old, err := t.o.liveRecord(o, id)
	if err != nil {
		return err
	}
	if o == leadObject && o.get(old, "IsConverted") == true {
		return convertedLead()
	}
	return t.change(o, old, assigns, change{})
}

// change applies checked assignments to a live record; like carries the flags of the change.
func (t *tx) change(o *object, old *record, assigns []assign, like change) *apiError {
	r := old.clone()
	for _, a := range assigns {
		r.vals[a.f.idx] = a.v
	}
	if err := t.check(o, old, r); err != nil {
		return err
	}
	r.stamp = t.at.Unix()
	like.op, like.obj, like.id, like.fields = opUpdate, o, r.id, diff(o, old, r)
	if !like.still {
		r.modified = r.stamp
		like.byNew = r.modifiedBy != t.by.user
		r.modifiedBy = t.by.user
	}
	t.put(t.o.tables[o], r)
	t.changes = append(t.changes, like)
	return nil
}

// remove puts a record into the recycle bin. merged, when set, becomes MasterRecordId.
func (t *tx) remove(o *object, id, merged string) *apiError {
	if o.readOnly {
		return badRequest("INVALID_TYPE_FOR_OPERATION", "entity type "+o.name+" does not support delete")
	}
	if err := t.o.injectedItemError(o); err != nil {
		return err
	}
	old, err := t.o.liveRecord(o, id)
	if err != nil {
		return err
	}
	r := old.clone()
	r.deleted = true
	r.modified, r.stamp, r.modifiedBy = t.at.Unix(), t.at.Unix(), t.by.user
	c := change{op: opDelete, obj: o, id: r.id}
	if merged != "" {
		o.set(r, "MasterRecordId", merged)
		c.fields = diff(o, old, r)
	}
	t.put(t.o.tables[o], r)
	t.changes = append(t.changes, c)
	return nil
}

// restore takes a record out of the recycle bin.
func (t *tx) restore(o *object, id string) *apiError {
	old := t.o.tables[o].find(id)
	if old == nil || !old.deleted {
		return badRequest("UNDELETE_FAILED", "Entity is not in the recycle bin")
	}
	r := old.clone()
	r.deleted = false
	r.modified, r.stamp, r.modifiedBy = t.at.Unix(), t.at.Unix(), t.by.user
	if err := t.checkUnique(o, r); err != nil {
		return err
	}
	t.put(t.o.tables[o], r)
	t.changes = append(t.changes, change{op: opUndelete, obj: o, id: r.id, fields: diff(o, nil, r)})
	return nil
}

// liveRecord finds a record for a write.
func (o *org) liveRecord(obj *object, id string) (*record, *apiError) {
	r := o.tables[obj].find(id)
	switch {
	case r == nil:
		return nil, badRequest("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
	case r.deleted:
		return nil, entityDeleted()
	}
	return r, nil
}

// diff lists the stored fields in which r differs from old, in table order; old nil lists all that are set.
func diff(o *object, old, r *record) []assign {
	var out []assign
	for _, f := range o.stored {
		var was any
		if old != nil {
			was = old.vals[f.idx]
		}
		if v := r.vals[f.idx]; v != was {
			out = append(out, assign{f, v})
		}
	}
	return out
}

// prepare resolves and checks a request's fields: that they exist, may be written, and hold values of their kind and length.
func (o *org) prepare(obj *object, body map[string]any, creating bool) ([]assign, *apiError) {
	names := make([]string, 0, len(body))
	for name := range body {
		if name != "attributes" {
			names = append(names, name)
		}
	}
	slices.Sort(names) // a map's order must not choose which error is answered
	var out []assign
	var locked []string
	for _, name := range names {
		f := obj.field(name)
		if f == nil || o.hidden(f) {
			if rf := obj.byRel[strings.ToLower(name)]; rf != nil {
				return nil, foreignKeyMissing(obj, rf, body[name])
			}
			return nil, noSuchColumn(obj, name)
		}
		if (creating && !f.create) || (!creating && !f.update) || o.locked(f) {
			locked = append(locked, f.name)
			continue
		}
		v, err := f.coerce(body[name])
		if err != nil {
			return nil, err
		}
		if f.typ == tBoolean && v == nil {
			v = false // a checkbox has no null
		}
		out = append(out, assign{f, v})
	}
	if locked != nil {
		return nil, badRequest("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: "+strings.Join(locked, ", ")+
			". Please check the security settings of this field and verify that it is read/write for your profile or permission set.", locked...)
	}
	return out, nil
}

// foreignKeyMissing answers a parent named by external id: no object here that can be a parent has one.
func foreignKeyMissing(obj *object, f *field, raw any) *apiError {
	value := ""
	if m, ok := raw.(map[string]any); ok {
		for _, v := range m {
			value = fmt.Sprint(v)
		}
	}
	return badRequest("INVALID_FIELD", fmt.Sprintf("Foreign key external ID: %s not found for field %s in entity %s", value, f.name, obj.name))
}
