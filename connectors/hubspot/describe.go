package hubspot

import (
	"context"
	"errors"
	"net/http"

	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

// definition is what the portal says of one property.
type definition struct {
	Name       string `json:"name"`
	Label      string `json:"label"`
	Type       string `json:"type"`
	FieldType  string `json:"fieldType"`
	Calculated bool   `json:"calculated"`
	External   bool   `json:"externalOptions"` // its values are of another list, such as owners
	Own        *bool  `json:"hubspotDefined"`
	Archived   bool   `json:"archived"`
	Options    []struct {
		Value  string `json:"value"`
		Hidden bool   `json:"hidden"`
	} `json:"options"`
	Modification *struct {
		ReadOnly bool `json:"readOnlyValue"`
	} `json:"modificationMetadata"`
}

var kindsOfTypes = map[string]string{
	"string": schemas.FieldText, "phone_number": schemas.FieldText, "number": schemas.FieldNumber, "bool": schemas.FieldBoolean,
	"date": schemas.FieldDate, "datetime": schemas.FieldDatetime, "enumeration": schemas.FieldChoice,
}

func (p *definition) described() schemas.DescribedField {
	writable := p.Modification == nil || !p.Modification.ReadOnly
	d := schemas.DescribedField{Name: p.Name, Label: p.Label, Type: p.Type, Kind: kindsOfTypes[p.Type], Creatable: writable, Updatable: writable,
		Custom: p.Own == nil || !*p.Own, Formula: p.Calculated}
	switch {
	case d.Kind == "":
		d.Kind = schemas.FieldOther
	case p.External && d.Kind == schemas.FieldChoice:
		d.Kind = schemas.FieldReference
	case d.Kind == schemas.FieldChoice && p.FieldType == "checkbox":
		d.Kind = schemas.FieldChoices
	}
	for _, o := range p.Options {
		if !o.Hidden && (d.Kind == schemas.FieldChoice || d.Kind == schemas.FieldChoices) {
			d.Values = append(d.Values, o.Value)
		}
	}
	return d
}

// describe reads what properties a kind of record has. One that the token may not see is
// said to be undescribed: it holds up nothing.
func (a *attempt) describe(ctx context.Context, object string) {
	if _, ok := theProfile.SourceByName(a.At.Page.Source); !ok {
		a.Invalid("source " + a.At.Page.Source + " is not known")
		return
	}
	res, outcome, err := a.Call(ctx, a.rest, a.LeaveBy, http.MethodGet, "/crm/v3/properties/"+object, nil, nil)
	if e, ok := errors.AsType[*rest.Error](err); ok && (e.Status == http.StatusNotFound || e.Status == http.StatusForbidden && e.Class != schemas.ErrThrottled) {
		a.Env.Log.Info("the portal does not describe a kind of record", "object", object, "said", e.Message)
		a.Res.Status = int32(e.Status)
		if a.Emit(ctx, 0, a.Undescribed(object)) {
			a.PageDone("", true)
		}
		return
	}
	if err != nil {
		a.Fail(err, outcome)
		return
	}
	var got listed[definition]
	if !a.Decode(res.Response, &got, "list of properties") {
		return
	}
	var fields []schemas.DescribedField
	for i := range got.Results {
		if p := &got.Results[i]; p.Name != "" && !p.Archived {
			fields = append(fields, p.described())
		}
	}
	if len(fields) == 0 {
		a.Unread(res.Status, "a list of properties without one")
		return
	}
	if a.Emit(ctx, 0, a.Describe(a.conn.Account, theProfile, object, fields)) {
		a.PageDone("", true)
	}
}
