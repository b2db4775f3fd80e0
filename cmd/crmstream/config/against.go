package config

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/cmd/crmstream/strictyaml"
	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
)

// Against says where a document maps fields otherwise than the CRMs describe them: what
// its own lines say is a mistake, what stands in the defaults one of the document's
// warnings. checked is how many kinds of record were compared: those of another account
// than the document's say nothing of it.
func (d *Document) Against(providers []connectors.Provider, f *pipeline.Fields) (mistakes strictyaml.Mistakes, checked int) {
	var ds []mapping.Described
	for i := range f.Objects {
		if o := &f.Objects[i]; o.Described && d.account(o.Provider) == o.Account {
			ds = append(ds, described(o))
		}
	}
	d.Warnings = slices.DeleteFunc(d.Warnings, func(m strictyaml.Mistake) bool { // it is checked now
		return strings.HasSuffix(m.What, mapping.NotChecked) && slices.ContainsFunc(ds, func(x mapping.Described) bool {
			return strings.HasPrefix(m.What, x.Provider+"."+x.Object+".")
		})
	})
	for _, pr := range Base(providers).Against(&d.Config, ds) {
		m := d.places.Mistake(d.entries.at(&pr), pr.What, pr.Mend)
		if pr.Warning {
			d.Warnings = append(d.Warnings, m)
		} else {
			mistakes = append(mistakes, m)
		}
	}
	return mistakes, len(ds)
}

// account is the id of the document's account of a CRM; "" = it has none.
func (d *Document) account(provider string) string {
	for _, a := range d.Config.Accounts {
		if a.Provider == provider {
			return a.ID
		}
	}
	return ""
}

// described is a view as what it was made of.
func described(o *pipeline.FieldsOf) mapping.Described {
	d := mapping.Described{Provider: o.Provider, Object: o.Object, Partial: o.Left > 0, Left: o.Left}
	for i := range o.Fields {
		v := &o.Fields[i]
		if v.Missing {
			continue
		}
		d.Fields = append(d.Fields, schemas.DescribedField{Name: v.Name, Label: v.Label, Type: v.Type, Kind: v.Kind, Length: v.Length, Creatable: v.Creatable,
			Updatable: v.Updatable, Required: v.Required, Custom: v.Custom, Formula: v.Formula, Values: v.Values, MoreValues: v.MoreValues})
	}
	return d
}
