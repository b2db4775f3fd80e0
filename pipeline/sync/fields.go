package sync

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
)

// Fields lists what the CRMs of a tenant say of their fields, and how those are mapped.
// The transaction is only read from. The error is ErrNobody for a tenant that is not
// configured.
func (s *Sync) Fields(tx *pipeline.Tx, tenant string) (*pipeline.Fields, error) {
	w := &world{s: s, tx: tx, t: tx.Tenant(tenant)}
	cfg, ok, err := w.config()
	if err != nil {
		return nil, err
	}
	if !ok || cfg.Removed {
		return nil, fmt.Errorf("%w: the tenant %s is not configured", ErrNobody, tenant)
	}
	w.cfg = cfg
	out := &pipeline.Fields{Tenant: tenant, ConfigVersion: cfg.Version, Objects: []pipeline.FieldsOf{}}
	plain := s.base.Plain(cfg)
	for _, provider := range s.order {
		a := w.account(provider)
		if a == nil {
			continue
		}
		for i := range s.profiles[provider].Sources {
			object, is := strings.CutPrefix(s.profiles[provider].Sources[i].Name, schemas.ReferenceSchema+":")
			if is {
				out.Objects = append(out.Objects, pipeline.FieldsOf{Provider: provider, Account: a.ID, Object: object, Fields: []pipeline.FieldView{}})
			}
		}
	}
	ds, err := w.descriptions()
	if err != nil {
		return nil, err
	}
	for i := range ds {
		d := &ds[i]
		k := slices.IndexFunc(out.Objects, func(o pipeline.FieldsOf) bool { return o.Provider == d.Provider && o.Object == d.Object })
		if k < 0 {
			k = len(out.Objects)
			out.Objects = append(out.Objects, pipeline.FieldsOf{Provider: d.Provider, Account: w.account(d.Provider).ID, Object: d.Object})
		}
		dr, err := w.drift(d.Provider, d.Object)
		if err != nil {
			return nil, err
		}
		out.Objects[k].Described, out.Objects[k].Left, out.Objects[k].Fields = true, d.Left, viewsOf(plain, d, dr)
	}
	return out, nil
}

func viewsOf(plain *mapping.Plain, d *mapping.Described, dr *drift) []pipeline.FieldView {
	views := make([]pipeline.FieldView, 0, len(d.Fields))
	for i := range d.Fields {
		f := &d.Fields[i]
		v := pipeline.FieldView{Name: f.Name, Label: f.Label, Type: f.Type, Kind: f.Kind, Length: f.Length, Creatable: f.Creatable, Updatable: f.Updatable,
			Required: f.Required, Custom: f.Custom, Formula: f.Formula, Values: f.Values, MoreValues: f.MoreValues, Mapped: mappedAs(plain, d, f.Name)}
		if len(v.Mapped) == 0 && len(plain.Mapped(d.Provider, d.Object)) > 0 {
			if p, ok := plain.Propose(d, f); ok && (p.Why != "" || f.Custom) {
				v.Proposal, v.Why = p.Line, p.Why
			}
		}
		views = append(views, v)
	}
	for _, o := range plain.Mapped(d.Provider, d.Object) {
		for _, l := range o.Lines {
			if d.Field(l.CRM) == nil && !d.Partial && !strings.Contains(l.CRM, ".") && !slices.ContainsFunc(views, func(v pipeline.FieldView) bool { return v.Name == l.CRM }) {
				views = append(views, pipeline.FieldView{Name: l.CRM, Missing: true, Mapped: mappedAs(plain, d, l.CRM)})
			}
		}
		for _, f := range o.Scope {
			if d.Lacks(f.Field) && !slices.ContainsFunc(views, func(v pipeline.FieldView) bool { return v.Name == f.Field }) {
				views = append(views, pipeline.FieldView{Name: f.Field, Missing: true})
			}
		}
	}
	slices.SortFunc(views, func(a, b pipeline.FieldView) int { return strings.Compare(a.Name, b.Name) })
	for i := range views {
		if it := dr.item(conflictDrift, views[i].Name); it != nil {
			views[i].Drift = &pipeline.FieldDrift{Conflict: driftID(d.Provider, d.Object, it), What: it.What, Mend: it.Mend, Since: it.OpenedAt}
		}
	}
	return views
}

func mappedAs(plain *mapping.Plain, d *mapping.Described, field string) (as []pipeline.MappedAs) {
	for _, l := range plain.Lines(d.Provider, d.Object, field) {
		as = append(as, pipeline.MappedAs{Field: l.Dialer, Direction: string(l.Direction), Default: plain.Of(l) == nil})
	}
	return as
}
