package sim

import (
	"cmp"
	"container/heap"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// entry is one committed change: what one request did, or what became of one webhook delivery.
// Applying the entries of a log in order to an empty portal gives the portal, its pending webhooks
// included; a running portal applies the same entries with the same function.
type entry struct {
	Time   int64  `json:"t"` // ms
	Source source `json:"s"`
	Ops    []op   `json:"ops"`
}

// source is who made a change, in the words of the webhooks.
type source struct {
	Kind string `json:"k,omitempty"` // changeSource: INTEGRATION, CRM_UI
	ID   string `json:"i,omitempty"` // sourceId: the app's id, userId:N
}

const (
	opPortal   = "portal"   // Portal: the first entry of a log
	opCreate   = "create"   // Object ID Props
	opUpdate   = "update"   // Object ID Props
	opArchive  = "archive"  // Object ID
	opRestore  = "restore"  // Object ID
	opErase    = "erase"    // Object ID: privacy deletion
	opMerge    = "merge"    // Object ID (new) From (the primary, then the loser) Props
	opLink     = "link"     // ID Type To: association
	opUnlink   = "unlink"   // ID Type To
	opProperty = "property" // Object Property
	opGroup    = "group"    // Object Group
	opHooks    = "hooks"    // App: target and subscriptions
	opDone     = "done"     // Events: delivered
	opRetry    = "retry"    // Events Attempt Due: to be tried again
	opDrop     = "drop"     // Events: given up
)

type op struct {
	Kind     string            `json:"k"`
	Object   string            `json:"o,omitempty"`
	ID       int64             `json:"id,omitempty"`
	Props    map[string]string `json:"p,omitempty"`
	Type     uint16            `json:"at,omitempty"`
	To       int64             `json:"to,omitempty"`
	From     []int64           `json:"from,omitempty"`
	Portal   *PortalConfig     `json:"portal,omitempty"`
	Property *property         `json:"def,omitempty"`
	Group    *propertyGroup    `json:"group,omitempty"`
	App      *AppConfig        `json:"app,omitempty"`
	Events   []int64           `json:"ev,omitempty"`
	Attempt  int               `json:"n,omitempty"`
	Due      int64             `json:"due,omitempty"` // ms
}

// commit makes ops durable and applies them. Nothing has happened when it returns an error. The
// caller holds the mutex and has checked the ops.
func (p *portal) commit(now int64, src source, ops ...op) error {
	if len(ops) == 0 {
		return nil
	}
	e := &entry{Time: now, Source: src, Ops: ops}
	if err := p.log.append(e); err != nil {
		return err
	}
	return p.apply(e)
}

// apply changes the portal by one entry. It looks at nothing but the portal and the entry.
func (p *portal) apply(e *entry) error {
	p.advance(e.Time)
	for i := range e.Ops {
		if err := p.applyOp(e, &e.Ops[i]); err != nil {
			return fmt.Errorf("applying %s: %w", e.Ops[i].Kind, err)
		}
	}
	return nil
}

func (p *portal) applyOp(e *entry, o *op) error {
	switch o.Kind {
	case opPortal:
		p.configure(*o.Portal)
		return nil
	case opHooks:
		p.subscribe(o.App)
		return nil
	case opDone, opRetry, opDrop:
		p.settle(o)
		return nil
	case opLink, opUnlink:
		return p.applyLink(e, o)
	}
	t := p.tableOf(o.Object)
	if t == nil {
		return fmt.Errorf("unknown object type %q", o.Object)
	}
	switch o.Kind {
	case opProperty:
		t.define(*o.Property)
		return nil
	case opGroup:
		t.groups = append(t.groups, *o.Group)
		return nil
	case opCreate:
		for name := range o.Props {
			if t.props[name] == nil {
				return fmt.Errorf("unknown property %q", name)
			}
		}
		p.applyCreate(t, e, o)
		return nil
	case opMerge:
		return p.applyMerge(t, e, o)
	}
	r := t.records[o.ID]
	if r == nil {
		return fmt.Errorf("unknown %s %d", t.typ.singular, o.ID)
	}
	switch o.Kind {
	case opUpdate:
		p.applyUpdate(t, r, e, o.Props)
	case opArchive:
		t.release(r)
		r.archivedAt, r.inIndex, r.indexed = e.Time, false, nil
		p.raiseRecord(t, r, e, "deletion", "DELETED")
	case opRestore:
		r.archivedAt, r.updated = 0, e.Time
		t.claim(r)
		t.reindex(r, e.Time)
		p.raiseRecord(t, r, e, "restore", "RESTORED")
	case opErase:
		for _, l := range slices.Clone(r.links) {
			p.unlink(r, l)
		}
		t.remove(r)
		p.raiseRecord(t, r, e, "privacyDeletion", "")
		p.raiseRecord(t, r, e, "deletion", "DELETED")
	default:
		return fmt.Errorf("unknown kind of change")
	}
	return nil
}

func (p *portal) applyCreate(t *table, e *entry, o *op) {
	r := &record{id: o.ID, created: e.Time, updated: e.Time}
	p.nextID = max(p.nextID, o.ID)
	values := map[string]string{"hs_object_source": e.Source.Kind, "hs_object_source_label": e.Source.Kind}
	if e.Source.ID != "" {
		values["hs_object_source_id"] = e.Source.ID
	}
	if o.Props["hubspot_owner_id"] != "" {
		values["hubspot_owner_assigneddate"] = strconv.FormatInt(e.Time, 10)
	}
	r.props = t.set(t.set(nil, values), o.Props)
	t.insert(r)
	t.claim(r)
	t.reindex(r, e.Time)
	if t.typ.recalcMax > 0 && p.recalculate {
		heap.Push(&t.recalcs, recalc{e.Time + recalcDelay(t.typ, r.id), r.id})
	}
	p.raiseCreate(t, r, e, o.Props)
}

// recalcDelay spreads the background bumps over the type's range, the same way for the same id.
func recalcDelay(t *objectType, id int64) int64 {
	h := fnv.New32a()
	h.Write(strconv.AppendInt(nil, id, 10))
	return t.recalcMin + int64(h.Sum32())%(t.recalcMax-t.recalcMin)
}

func (p *portal) applyUpdate(t *table, r *record, e *entry, values map[string]string) {
	changed := make(map[string]string, len(values))
	for name, value := range values {
		if was, ok := find(r.props, t.props[name]); !ok && value != "" || ok && was != value {
			changed[name] = value
		}
	}
	r.updated = e.Time // moves also when a write changes no value
	if len(changed) > 0 {
		t.release(r)
		r.props = t.set(r.props, changed)
		if _, ok := changed["hubspot_owner_id"]; ok {
			r.props = t.set(r.props, map[string]string{"hubspot_owner_assigneddate": strconv.FormatInt(e.Time, 10)})
		}
		t.claim(r)
	}
	t.reindex(r, e.Time)
	for _, name := range sortedNames(changed) {
		p.raiseProperty(t, r, e, name, changed[name])
	}
}

// applyMerge makes the new record that stands for the two merged ones. Values were chosen when the
// merge was decided; associations move here.
func (p *portal) applyMerge(t *table, e *entry, o *op) error {
	r := &record{id: o.ID, created: e.Time, updated: e.Time}
	p.nextID = max(p.nextID, o.ID)
	var links []link
	for _, id := range o.From {
		old := t.records[id]
		if old == nil {
			return fmt.Errorf("unknown %s %d", t.typ.singular, id)
		}
		r.created = min(r.created, old.created)
		for _, l := range slices.Clone(old.links) {
			links = append(links, l)
			p.unlink(old, l)
		}
		t.remove(old)
		t.aliases[id] = r.id
	}
	r.props = t.set(nil, o.Props)
	t.insert(r)
	t.claim(r)
	for _, l := range links {
		p.link(t, r, l)
	}
	t.reindex(r, e.Time)
	p.raiseMerge(t, r, e, o.From)
	return nil
}

func (p *portal) applyLink(e *entry, o *op) error {
	a := assocTypes[o.Type]
	if a == nil {
		return fmt.Errorf("unknown association type %d", o.Type)
	}
	t := p.tables[a.from]
	r := t.records[o.ID]
	other := p.tables[a.to].records[o.To]
	if r == nil || other == nil {
		return fmt.Errorf("association %d of %d and %d: no such record", o.Type, o.ID, o.To)
	}
	l := link{o.To, o.Type}
	if o.Kind == opUnlink {
		if p.unlink(r, l) {
			p.raiseLink(t, r, e, a, o.To, true)
		}
		return nil
	}
	if a.primary {
		owner, of := r, a // the contact or deal, which has one primary company
		if a.from == companyType {
			owner, of = other, assocTypes[a.reverse]
		}
		for _, have := range slices.Clone(owner.links) {
			if have.typ == of.id && (have.to != o.To || owner == other) && have.to != r.id {
				p.unlink(owner, have)
			}
		}
	}
	if p.link(t, r, l) {
		p.raiseLink(t, r, e, a, o.To, false)
	}
	return nil
}

// link enters both directions of an association, and with a primary one the unlabelled one too. It
// reports whether the association is new.
func (p *portal) link(t *table, r *record, l link) bool {
	a := assocTypes[l.typ]
	other := p.tables[a.to].records[l.to]
	if other == nil || linked(r, l, other) {
		return false
	}
	r.links = append(r.links, l)
	other.links = append(other.links, link{r.id, a.reverse})
	if a.primary {
		p.link(t, r, link{l.to, defaultAssoc(a.from, a.to).id})
	}
	return true
}

// linked looks at the record with fewer associations, so that the thousandth call of a contact costs
// no more than the first.
func linked(r *record, l link, other *record) bool {
	if len(other.links) < len(r.links) {
		return slices.Contains(other.links, link{r.id, assocTypes[l.typ].reverse})
	}
	return slices.Contains(r.links, l)
}

// unlink takes both directions of an association out and reports whether it was there.
func (p *portal) unlink(r *record, l link) bool {
	i := slices.Index(r.links, l)
	if i < 0 {
		return false
	}
	r.links = slices.Delete(r.links, i, i+1)
	a := assocTypes[l.typ]
	if other := p.tables[a.to].records[l.to]; other != nil {
		if i := slices.Index(other.links, link{r.id, a.reverse}); i >= 0 {
			other.links = slices.Delete(other.links, i, i+1)
		}
	}
	return true
}

// define adds a property or changes an existing definition in place, since records point to it.
func (t *table) define(d property) {
	def := t.props[d.Name]
	if def == nil {
		def = new(property)
		t.props[d.Name] = def
	}
	*def = d
	if !def.HasUniqueValue {
		return
	}
	if _, ok := t.unique[def]; !ok {
		t.unique[def] = make(map[string]int64)
	}
}

// mergedProps chooses the values of a merged contact: the primary's, and the other's where the
// primary has none. The e-mail of the other becomes an additional one.
func mergedProps(t *table, primary, other *record) map[string]string {
	values := make(map[string]string)
	for _, r := range []*record{other, primary} {
		for _, v := range r.props {
			if v.value != "" {
				values[v.def.Name] = v.value
			}
		}
	}
	list := func(name string) []string {
		var out []string
		for _, r := range []*record{primary, other} {
			if v, _ := find(r.props, t.props[name]); v != "" {
				out = append(out, strings.Split(v, ";")...)
			}
		}
		return out
	}
	ids := append(list("hs_merged_object_ids"), strconv.FormatInt(primary.id, 10), strconv.FormatInt(other.id, 10))
	values["hs_merged_object_ids"] = strings.Join(ids, ";")
	if t.typ.emailKey {
		emails := append(list("hs_additional_emails"), list("email")...)
		emails = slices.DeleteFunc(emails, func(s string) bool { return s == values["email"] })
		slices.SortFunc(emails, cmp.Compare)
		if len(emails) > 0 {
			values["hs_additional_emails"] = strings.Join(slices.Compact(emails), ";")
		}
	}
	return values
}
