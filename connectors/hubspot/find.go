package hubspot

import (
	"context"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/schemas"
)

// Properties in which HubSpot keeps a contact's numbers for its search: the digits as they
// are dialled within their country.
var searchable = []string{"hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number"}

// find looks for the contacts with a number. The index is some seconds behind the
// records, so that a contact who was made just now may be missed.
func (a *attempt) find(ctx context.Context) {
	_, national, ok := a.Sought()
	if !ok {
		return
	}
	cols := a.Mapped(contacts, columns(contacts))
	in := searchRequest{Limit: base.FindMost, Properties: append(cols[:len(cols):len(cols)], always(contacts)...), Sorts: []sorting{{"hs_object_id", "ASCENDING"}}}
	for _, p := range searchable {
		in.Groups = append(in.Groups, filterGroup{[]filter{{p, "EQ", national}}})
	}
	got, _, ok := a.searchFor(ctx, contacts, in)
	if !ok {
		return
	}
	for n := range got.Results {
		if !a.Emit(ctx, 0, a.person(&got.Results[n], contacts, cols, schemas.KindFind)) {
			return
		}
	}
	a.Res.Items[0].Outcome = schemas.Sent
}
