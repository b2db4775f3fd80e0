package sync

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/schemas"
)

// columnsSetting begins the name of the setting by which a connector is told what a
// tenant's mapping has beside the CRM's own: "columns.Lead" = "Nick__c,Score__c:number".
// A field with > before it is written only, one of the CRM's own with - is not there.
const columnsSetting = "columns."

// columns is what connectors are told of the mapping, all of it.
func (w *world) columns() string {
	var all strings.Builder
	for _, o := range slices.Concat(w.lines.Objects(), w.lines.Tables()) {
		all.WriteString(o.Provider + "." + o.Name + "=" + strings.Join(o.Extra(), ",") + ";")
	}
	return all.String()
}

// withColumns is the account with what its mapping reads and writes beside the default.
func (w *world) withColumns(a schemas.Account) schemas.Account {
	cloned := false
	for _, o := range slices.Concat(w.lines.Objects(), w.lines.Tables()) {
		if o.Provider != a.Provider {
			continue
		}
		extra := o.Extra()
		if len(extra) == 0 {
			continue
		}
		if !cloned {
			a.Settings, cloned = slices.Clone(a.Settings), true
		}
		a.Settings = append(a.Settings, schemas.Text(columnsSetting+o.Name, strings.Join(extra, ",")))
	}
	if cloned {
		slices.SortStableFunc(a.Settings, func(x, y schemas.Field) int { return strings.Compare(x.Name, y.Name) })
	}
	return a
}
