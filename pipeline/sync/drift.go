package sync

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/value"
)

// Kinds of SyncConflict that are about a field of a CRM.
const (
	conflictDrift    = "drift"
	conflictNewField = "new_field"
)

// drift is how the mapped fields of one kind of record were when somebody last agreed to
// it, and what of that is otherwise now.
type drift struct {
	Known []knownField `avro:"known"` // by name
	Items []driftItem  `avro:"items"` // open, by id

	scope, provider, object string
}

// knownField is one that is mapped, as it was found when it was mapped so, or as somebody
// accepted it later.
type knownField struct {
	Name   string   `avro:"name"`
	Line   string   `avro:"line"` // signature of the line that it was found with
	Label  string   `avro:"label"`
	Type   string   `avro:"type"`
	Length int32    `avro:"length"`
	Values []string `avro:"values"`
	More   bool     `avro:"more"`
}

type driftItem struct {
	Kind     string `avro:"kind"`
	Field    string `avro:"field"`  // the CRM's name
	Dialer   string `avro:"dialer"` // the dialer's
	What     string `avro:"what"`
	Mend     string `avro:"mend"`
	OpenedAt int64  `avro:"opened_at"` // ms
}

var drifts = value.New[drift]("drift of a kind of record")

func (d *drift) known(name string) *knownField {
	for i := range d.Known {
		if d.Known[i].Name == name {
			return &d.Known[i]
		}
	}
	return nil
}

func (d *drift) item(kind, field string) *driftItem {
	for i := range d.Items {
		if d.Items[i].Kind == kind && d.Items[i].Field == field {
			return &d.Items[i]
		}
	}
	return nil
}

func (w *world) drift(provider, object string) (*drift, error) {
	scope := w.scope(provider)
	d, ok, err := get(w, drifts, kindDrift, scope+"\x00"+object)
	if err != nil {
		return nil, err
	}
	if !ok {
		d = &drift{}
	}
	d.scope, d.provider, d.object = scope, provider, object
	return d, nil
}

// keep stores it, if there is anything in it.
func (w *world) keep(d *drift) {
	id := d.scope + "\x00" + d.object
	if len(d.Known)+len(d.Items) == 0 {
		w.tx.Store.Delete(w.t.Key(kindDrift, id))
		return
	}
	put(w, drifts, kindDrift, id, d)
}

// drifted compares the lines of one kind of record with its description. The drift that
// it returns is what is so now, and is not stored.
func (w *world) drifted(plain *mapping.Plain, ds *mapping.Described) (*drift, error) {
	old, err := w.drift(ds.Provider, ds.Object)
	if err != nil {
		return nil, err
	}
	now := &drift{scope: old.scope, provider: old.provider, object: old.object}
	for _, o := range plain.Mapped(ds.Provider, ds.Object) {
		for _, l := range o.Lines {
			if strings.Contains(l.CRM, ".") {
				continue // of another record
			}
			was, line := old.known(l.CRM), plain.Signature(l)
			if was != nil && was.Line != line {
				was = nil // mapped anew: as it is now is how it was meant
			}
			f := ds.Field(l.CRM)
			if was == nil && f != nil {
				was = knownAs(f, line)
			}
			if was != nil && now.known(l.CRM) == nil {
				now.Known = append(now.Known, *was)
			}
			if what, mend := w.otherwise(plain, ds, l, was, f); what != "" && now.item(conflictDrift, l.CRM) == nil {
				now.Items = append(now.Items, driftItem{Kind: conflictDrift, Field: l.CRM, Dialer: l.Dialer, What: what, Mend: mend})
			}
		}
	}
	for _, o := range plain.Mapped(ds.Provider, ds.Object) {
		for _, f := range o.Scope {
			if ds.Lacks(f.Field) && now.item(conflictDrift, f.Field) == nil {
				where := "crm." + ds.Provider + ".scope." + ds.Object
				now.Items = append(now.Items, driftItem{Kind: conflictDrift, Field: f.Field, Dialer: where,
					What: "it is not there: deleted, renamed, or hidden from the integration's user; until it is, the scope's condition on it is none, and whoever is new comes in",
					Mend: "show it to the integration's user, or take its condition out of " + where})
			}
		}
	}
	for _, it := range old.Items {
		if it.Kind != conflictNewField {
			continue
		}
		if f := ds.Field(it.Field); f != nil && len(plain.Lines(ds.Provider, ds.Object, it.Field)) == 0 {
			now.Items = append(now.Items, it)
		}
	}
	slices.SortFunc(now.Known, func(a, b knownField) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(now.Items, func(a, b driftItem) int { return strings.Compare(a.Kind+a.Field, b.Kind+b.Field) })
	for i := range now.Items {
		it := &now.Items[i]
		it.OpenedAt = w.tx.Now
		if o := old.item(it.Kind, it.Field); o != nil {
			it.OpenedAt = o.OpenedAt
		}
	}
	return now, nil
}

func knownAs(f *schemas.DescribedField, line string) *knownField {
	return &knownField{Name: f.Name, Line: line, Label: f.Label, Type: f.Type, Length: f.Length, Values: f.Values, More: f.MoreValues}
}

// otherwise says in what a mapped field is not as it was, or not as its line needs it,
// and how that is mended; "" where all is well (B27).
func (w *world) otherwise(plain *mapping.Plain, ds *mapping.Described, l *mapping.Line, was *knownField, f *schemas.DescribedField) (what, mend string) {
	switch {
	case f == nil && ds.Partial:
		return "", ""
	case f == nil:
		return "it is not there: deleted, renamed, or hidden from the integration's user; it is neither read nor written until it is", plain.Instead(ds, l, labelOf(was))
	case l.Outbound() && !f.Updatable && f.Formula:
		return "the CRM computes it: it can't be written", l.Dialer + ": {direction: inbound}"
	case l.Outbound() && !f.Updatable:
		return "it can't be written by the integration's user", "give the user the right to edit it, or " + l.Dialer + ": {direction: inbound}"
	}
	var whats, mends []string
	if was.Type != f.Type {
		whats = append(whats, "its type was "+was.Type+" and is "+f.Type)
		mends = append(mends, "look whether the line still fits")
		if p, ok := plain.Propose(ds, f); ok && strings.Contains(p.Line, "type: ") {
			_, typ, _ := strings.Cut(p.Line, "type: ")
			mends[0] = l.Dialer + ": {type: " + strings.TrimSuffix(typ, "}") + "}"
		}
	}
	if f.Length > 0 && was.Length > f.Length && l.Outbound() {
		whats = append(whats, "it took "+itoa(was.Length)+" characters and takes "+itoa(f.Length)+": more is cut")
	}
	if was.Type == f.Type && len(was.Values) > 0 {
		added, gone := less(f.Values, was.Values), less(was.Values, f.Values)
		if was.More || f.MoreValues { // what is not listed may be there all the same
			added, gone = nil, nil
		}
		pairs := pairsOf(plain.Of(l))
		if pairs != nil { // what is mapped already is no news, and what never was is nobody's loss
			added, gone = less(added, pairs), both(gone, pairs)
		}
		if len(added) > 0 {
			whats = append(whats, "it has new values: "+strings.Join(added, ", "))
			if pairs != nil {
				mends = append(mends, "add to its picklist_map: "+pairLines(added))
			} else if l.Dialer == "lead_status" || l.Outbound() {
				mends = append(mends, "map them if the dialer calls them otherwise: "+l.Dialer+": {transform: {picklist_map: {"+pairLines(added)+"}}}")
			}
		}
		if len(gone) > 0 {
			whats = append(whats, "it has no longer the values: "+strings.Join(gone, ", "))
			if pairs != nil {
				mends = append(mends, "take them out of its picklist_map")
			}
		}
	}
	if len(whats) == 0 {
		return "", ""
	}
	accept := "accept it: crmstream conflicts resolve " + w.t.Name() + " " + driftID(ds.Provider, ds.Object, &driftItem{Kind: conflictDrift, Field: l.CRM}) + " --take crm"
	if len(mends) > 0 {
		accept = strings.Join(mends, "; ") + "; or " + accept
	}
	return strings.Join(whats, "; "), accept
}

func labelOf(f *knownField) string {
	if f == nil {
		return ""
	}
	return f.Label
}

func less(a, b []string) (out []string) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

func both(a, b []string) (out []string) {
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

// pairsOf are the CRM's values of a picklist's pairs; nil = it has none.
func pairsOf(m *schemas.FieldMapping) (vs []string) {
	if m == nil || m.Transform != schemas.TransformPicklist {
		return nil
	}
	vs = []string{}
	for _, p := range m.Picklist {
		vs = append(vs, p.CRM)
	}
	return vs
}

func pairLines(values []string) string {
	var ps []string
	for _, v := range values {
		ps = append(ps, v+": "+v)
	}
	return strings.Join(ps, ", ")
}

// newFields lists fields that somebody made since the last description and that resemble
// one of the dialer.
func (w *world) newFields(provider, object string, was, is *described) error {
	if was.Left > 0 || !w.configured(provider) {
		return nil
	}
	plain := w.s.base.Plain(w.cfg)
	old := mapping.Described{Provider: provider, Object: object, Fields: was.Fields}
	now := mapping.Described{Provider: provider, Object: object, Fields: is.Fields, Partial: is.Left > 0}
	d, err := w.drift(provider, object)
	if err != nil {
		return err
	}
	found := false
	for i := range is.Fields {
		f := &is.Fields[i]
		if !f.Custom || old.Field(f.Name) != nil || d.item(conflictNewField, f.Name) != nil || len(plain.Lines(provider, object, f.Name)) > 0 || len(plain.Mapped(provider, object)) == 0 {
			continue
		}
		p, ok := plain.Propose(&now, f)
		if !ok || p.Why == "" {
			continue
		}
		found = true
		d.Items = append(d.Items, driftItem{Kind: conflictNewField, Field: f.Name, Dialer: p.Field, What: "a new " + f.Type + ", " + quoted(f.Label) + ": " + p.Why, Mend: p.Line, OpenedAt: -1})
	}
	if found {
		w.keep(d)
	}
	return nil
}

// told says what is otherwise now and was not, and what was and is not any more; it
// stores it. now are all kinds of record that are described.
func (w *world) told(now []*drift) error {
	var before []*drift
	err := w.tx.Store.Scan(w.t.Prefix(kindDrift, ""), state.Key{}, func(k state.Key, raw []byte) (bool, error) {
		d := new(drift)
		if err := drifts.Unmarshal(raw, d); err != nil {
			return false, err
		}
		d.scope, d.object, _ = strings.Cut(k.ID(), "\x00")
		d.provider, _, _ = strings.Cut(d.scope, "~")
		before = append(before, d)
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, old := range before {
		i := slices.IndexFunc(now, func(d *drift) bool { return d.scope == old.scope && d.object == old.object })
		for _, it := range old.Items {
			if i < 0 || now[i].item(it.Kind, it.Field) == nil {
				w.publishDrift(old, &it, "resolved")
			}
		}
		if i < 0 {
			w.keep(&drift{scope: old.scope, object: old.object})
		}
	}
	for _, d := range now {
		i := slices.IndexFunc(before, func(o *drift) bool { return d.scope == o.scope && d.object == o.object })
		for k := range d.Items {
			it := &d.Items[k]
			var was *driftItem
			if i >= 0 {
				was = before[i].item(it.Kind, it.Field)
			}
			if it.OpenedAt < 0 {
				it.OpenedAt = w.tx.Now
			}
			if was == nil || was.What != it.What || was.Mend != it.Mend || was.OpenedAt < 0 {
				w.publishDrift(d, it, "open")
			}
		}
		if i >= 0 || len(d.Known)+len(d.Items) > 0 {
			w.keep(d)
		}
	}
	for _, provider := range w.s.order {
		is, was := 0, 0
		for _, d := range now {
			is += d.open(provider)
		}
		for _, d := range before {
			was += d.open(provider)
		}
		if is != was {
			w.want.Drifts = append(w.want.Drifts, pipeline.Drift{Provider: provider, Open: int32(is)})
		}
	}
	return nil
}

// open is how many mapped fields of a CRM are not as their lines need them.
func (d *drift) open(provider string) (n int) {
	for i := range d.Items {
		if d.provider == provider && d.Items[i].Kind == conflictDrift {
			n++
		}
	}
	return n
}

func driftID(provider, object string, it *driftItem) string {
	return it.Kind + ":" + provider + ":" + object + ":" + it.Field
}

func (w *world) publishDrift(d *drift, it *driftItem, status string) {
	id := driftID(d.provider, d.object, it)
	what, mend := it.What, it.Mend
	w.tx.Emit(schemas.TopicSyncConflicts, w.t.Name()+"/"+id, &schemas.SyncConflict{Tenant: w.t.Name(), ConflictID: id, Kind: it.Kind, Field: it.Dialer, DialerValue: &mend,
		CRMValue: &what, Record: schemas.Link{Provider: d.provider, Object: d.object}, Status: status, OpenedAt: max(it.OpenedAt, 0),
		Provenance: &schemas.Provenance{Origin: d.provider, EventTime: w.tx.Now, SourceRef: w.ref}})
}

// acceptDrift does what a person decided about a field of a CRM: as it is now is how it
// is meant. What a line can't live with is not accepted away.
func (w *world) acceptDrift(a *schemas.ControlAction, id string) error {
	part := strings.SplitN(id, ":", 4)
	if take := said(a, "take"); take != "crm" || len(part) != 4 || !w.configured(part[1]) {
		return pipeline.Rejectf(schemas.ReasonInvalid, "what a CRM says of its fields is accepted with take crm, or mended in the mapping or the CRM: %q, take %q", id, take)
	}
	kind, provider, object, field := part[0], part[1], part[2], part[3]
	d, err := w.drift(provider, object)
	if err != nil {
		return err
	}
	if d.item(kind, field) == nil {
		return pipeline.Rejectf(schemas.ReasonInvalid, "the conflict %s is not open (any more)", id)
	}
	if kind == conflictNewField {
		d.Items = slices.DeleteFunc(d.Items, func(it driftItem) bool {
			if it.Kind != kind || it.Field != field {
				return false
			}
			w.publishDrift(d, &it, "resolved")
			return true
		})
		w.keep(d)
		return nil
	}
	f := mapping.FactOf(w.facts, &mapping.Fact{Provider: provider, Object: object, Field: field})
	if f != nil && (f.Gone && !f.Returning || f.ReadOnly) {
		return pipeline.Rejectf(schemas.ReasonInvalid, "%s.%s.%s is not as its line needs it: mend the line or the CRM", provider, object, field)
	}
	d.Known = slices.DeleteFunc(d.Known, func(k knownField) bool { return k.Name == field })
	w.keep(d)
	return w.survey()
}
