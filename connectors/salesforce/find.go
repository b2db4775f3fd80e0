package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/schemas"
)

// find looks for the leads and contacts with a number, as digits: the index of phone
// fields passes over punctuation, and finds the end of a number too, so that the country
// code may stand there or not. It is some moments behind the records.
func (a *attempt) find(ctx context.Context) {
	_, national, ok := a.Sought()
	if !ok {
		return
	}
	cols := make(map[string][]string)
	var returning []string
	for i := range theProfile.Objects {
		o := theProfile.Objects[i].Name
		cols[o] = a.columns(o)
		returning = append(returning, o+"("+always+strings.Join(cols[o], ", ")+")")
	}
	q := "FIND {" + national + "} IN PHONE FIELDS RETURNING " + strings.Join(returning, ", ") + " LIMIT " + strconv.Itoa(base.FindMost)
	res, outcome, err := a.Call(ctx, a.rest, a.LeaveBy, http.MethodGet, apiPath+"/search", url.Values{"q": {q}}, nil)
	if err != nil {
		a.NotSought(err, outcome)
		return
	}
	var got struct {
		Records []row `json:"searchRecords"`
	}
	if !a.Decode(res.Response, &got, "search result") {
		return
	}
	for _, rec := range got.Records {
		var is struct{ Type string }
		if json.Unmarshal(rec["attributes"], &is) != nil || cols[is.Type] == nil {
			continue
		}
		ch, _ := a.person(rec, is.Type, cols[is.Type], schemas.KindFind)
		if !a.Emit(ctx, 0, ch) {
			return
		}
	}
	a.Res.Items[0].Outcome = schemas.Sent
}
