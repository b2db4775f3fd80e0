package salesforce

import (
	"context"
	"errors"
	"net/http"

	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

// sobjectField is what the org says of one field.
type sobjectField struct {
	Name      string `json:"name"`
	Label     string `json:"label"`
	Type      string `json:"type"`
	Length    int32  `json:"length"`
	Create    bool   `json:"createable"`
	Update    bool   `json:"updateable"`
	Nillable  bool   `json:"nillable"`
	Defaulted bool   `json:"defaultedOnCreate"`
	Custom    bool   `json:"custom"`
	Formula   bool   `json:"calculated"`
	Values    []struct {
		Active bool   `json:"active"`
		Value  string `json:"value"`
	} `json:"picklistValues"`
}

// kindsOfTypes are the org's types in our words; any other is of no use to a mapping.
var kindsOfTypes = map[string]string{
	"string": schemas.FieldText, "textarea": schemas.FieldText, "phone": schemas.FieldText, "email": schemas.FieldText, "url": schemas.FieldText,
	"encryptedstring": schemas.FieldText, "combobox": schemas.FieldText, "picklist": schemas.FieldChoice, "multipicklist": schemas.FieldChoices,
	"boolean": schemas.FieldBoolean, "int": schemas.FieldNumber, "long": schemas.FieldNumber, "double": schemas.FieldNumber, "currency": schemas.FieldNumber,
	"percent": schemas.FieldNumber, "date": schemas.FieldDate, "datetime": schemas.FieldDatetime, "reference": schemas.FieldReference,
}

func (f *sobjectField) described() schemas.DescribedField {
	d := schemas.DescribedField{Name: f.Name, Label: f.Label, Type: f.Type, Kind: kindsOfTypes[f.Type], Creatable: f.Create, Updatable: f.Update,
		Required: f.Create && !f.Nillable && !f.Defaulted, Custom: f.Custom, Formula: f.Formula}
	switch d.Kind {
	case "":
		d.Kind = schemas.FieldOther
	case schemas.FieldText:
		d.Length = f.Length
	}
	for _, v := range f.Values {
		if v.Active && (d.Kind == schemas.FieldChoice || d.Kind == schemas.FieldChoices) {
			d.Values = append(d.Values, v.Value)
		}
	}
	return d
}

// describe reads what fields an object has. One that the org lacks, or that the user may
// not see, is said to be undescribed: it holds up nothing.
func (a *attempt) describe(ctx context.Context, object string) {
	if _, ok := theProfile.SourceByName(a.At.Page.Source); !ok {
		a.Invalid("source " + a.At.Page.Source + " is not known")
		return
	}
	res, outcome, err := a.Call(ctx, a.rest, a.LeaveBy, http.MethodGet, apiPath+"/sobjects/"+object+"/describe", nil, nil)
	if e, ok := errors.AsType[*rest.Error](err); ok && (e.Status == http.StatusNotFound || e.Status == http.StatusForbidden && e.Class != schemas.ErrThrottled) {
		a.Env.Log.Info("the org does not describe an object", "object", object, "said", e.Message)
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
	var got struct {
		Fields []sobjectField `json:"fields"`
	}
	if !a.Decode(res.Response, &got, "description") {
		return
	}
	var fields []schemas.DescribedField
	for i := range got.Fields {
		if got.Fields[i].Name != "" {
			fields = append(fields, got.Fields[i].described())
		}
	}
	if len(fields) == 0 {
		a.Unread(res.Status, "a description without a field")
		return
	}
	if a.Emit(ctx, 0, a.Describe(a.conn.Account, theProfile, object, fields)) {
		a.PageDone("", true)
	}
}
