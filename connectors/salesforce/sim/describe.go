package sim

// Serves GET /services/data/vNN.N/sobjects and …/sobjects/{Obj}/describe.
//
// Deviations: what is described is the field table and nothing more, so an org looks emptier than a real one; no record types,
// actions or child relationships other than those a query knows; no If-Modified-Since.

import (
	"net/http"
)

func (c *call) globalDescribe() *apiError {
	if c.r.Method != http.MethodGet {
		return methodNotAllowed(c.r.Method, "GET,HEAD")
	}
	var list []any
	for _, o := range objectList {
		list = append(list, c.describeObject(o))
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list})
	return nil
}

func (c *call) describeObject(o *object) map[string]any {
	url := c.base + "/sobjects/" + o.name
	return map[string]any{
		"name": o.name, "label": o.label, "labelPlural": o.plural, "keyPrefix": o.prefix, "custom": false, "customSetting": false,
		"createable": !o.readOnly, "updateable": !o.readOnly, "deletable": !o.readOnly, "undeletable": !o.readOnly,
		"queryable": true, "retrieveable": true, "replicateable": true, "searchable": false, "layoutable": false, "triggerable": !o.readOnly,
		"mergeable": o == leadObject || o == contactObject || o == accountObject, "feedEnabled": false, "activateable": false,
		"deprecatedAndHidden": false, "hasSubtypes": false, "isSubtype": false, "mruEnabled": false,
		"urls": map[string]string{"sobject": url, "describe": url + "/describe", "rowTemplate": url + "/{ID}"},
	}
}

func (c *call) describe(o *object) *apiError {
	if c.r.Method != http.MethodGet {
		return methodNotAllowed(c.r.Method, "GET,HEAD")
	}
	out := c.describeObject(o)
	var fields []any
	for _, f := range o.fields {
		if !c.o.hidden(f) {
			d := describeField(o, c.o.shaped(f))
			d["calculated"] = c.o.shape(f).Formula
			fields = append(fields, d)
		}
	}
	children := []any{}
	for _, ch := range o.children {
		children = append(children, map[string]any{"childSObject": ch.object, "field": ch.field, "relationshipName": ch.name,
			"cascadeDelete": false, "restrictedDelete": false, "deprecatedAndHidden": false})
	}
	out["fields"], out["childRelationships"], out["recordTypeInfos"] = fields, children, []any{}
	writeJSON(c.w, http.StatusOK, out)
	return nil
}

func describeField(o *object, f *field) map[string]any {
	refTo := f.refTo
	if refTo == nil {
		refTo = []string{}
	}
	picks := []any{}
	for _, v := range f.values {
		picks = append(picks, map[string]any{"active": true, "defaultValue": v == f.def, "label": v, "validFor": nil, "value": v})
	}
	byteLength := 0
	switch {
	case f.typ.text():
		byteLength = 3 * f.length
	case f.typ == tID || f.typ == tReference:
		byteLength = longIDLen
	}
	precision := 0
	if f.typ == tDouble || f.typ == tCurrency || f.typ == tPercent {
		precision = f.digits
	}
	digits := 0
	if f.typ == tInt {
		digits = f.digits
	}
	return map[string]any{
		"name": f.name, "label": f.label, "type": f.typ, "length": f.length, "byteLength": byteLength, "digits": digits,
		"precision": precision, "scale": f.scale, "custom": f.custom(), "createable": f.create, "updateable": f.update,
		"nillable": !f.required, "defaultedOnCreate": f.def != nil || f.name == "OwnerId" || f.sys != sysNone, "defaultValue": f.def,
		"unique": f.unique, "externalId": f.external, "idLookup": f.external || f.sys == sysID, "caseSensitive": f.unique,
		"referenceTo": refTo, "relationshipName": nullable(f.rel), "polymorphicForeignKey": len(f.refTo) > 1,
		"namePointing": len(f.refTo) > 1, "compoundFieldName": nullable(f.compound), "nameField": f.name == "Name" || f.name == "Subject" && o.byName["Name"] == nil,
		"picklistValues": picks, "restrictedPicklist": false, "dependentPicklist": false, "controllerName": nil,
		"filterable": f.filterable(), "sortable": f.filterable(), "groupable": false, "aggregatable": f.filterable(),
		"calculated": false, "calculatedFormula": nil, "autoNumber": false, "encrypted": false, "htmlFormatted": false,
		"inlineHelpText": nil, "permissionable": !f.required && f.sys == sysNone, "cascadeDelete": false, "restrictedDelete": false,
		"deprecatedAndHidden": false, "extraTypeInfo": nil, "soapType": soapType(f),
	}
}

// filterable reports whether WHERE and ORDER BY take the field: long text and compound fields they do not.
func (f *field) filterable() bool {
	return f.typ != tAddress && !(f.typ == tTextarea && f.length > 255)
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func soapType(f *field) string {
	switch f.typ {
	case tID, tReference:
		return "tns:ID"
	case tBoolean:
		return "xsd:boolean"
	case tInt:
		return "xsd:int"
	case tDouble, tCurrency, tPercent:
		return "xsd:double"
	case tDate:
		return "xsd:date"
	case tDatetime:
		return "xsd:dateTime"
	case tAddress:
		return "urn:address"
	}
	return "xsd:string"
}
