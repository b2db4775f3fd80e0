package sim

import "strings"

// fieldType is a describe type.
type fieldType string

const (
	tID        fieldType = "id"
	tString    fieldType = "string"
	tTextarea  fieldType = "textarea"
	tPicklist  fieldType = "picklist"
	tCombobox  fieldType = "combobox"
	tReference fieldType = "reference"
	tBoolean   fieldType = "boolean"
	tInt       fieldType = "int"
	tDouble    fieldType = "double"
	tCurrency  fieldType = "currency"
	tPercent   fieldType = "percent"
	tDate      fieldType = "date"
	tDatetime  fieldType = "datetime"
	tPhone     fieldType = "phone"
	tEmail     fieldType = "email"
	tURL       fieldType = "url"
	tAddress   fieldType = "address"
)

// text reports whether values of the type are character strings with a maximum length.
func (t fieldType) text() bool {
	switch t {
	case tString, tTextarea, tPicklist, tCombobox, tPhone, tEmail, tURL:
		return true
	}
	return false
}

// sysField names the fields that a record keeps outside its values, because the server alone sets them.
type sysField uint8

const (
	sysNone sysField = iota
	sysID
	sysDeleted
	sysCreated
	sysCreatedBy
	sysModified
	sysModifiedBy
	sysStamp
)

// field is one line of an object's field table. It drives validation, query, describe and events alike.
type field struct {
	name, label string
	typ         fieldType
	length      int  // characters, of text types
	digits      int  // of int
	scale       int  // of double, currency, percent
	required    bool // may never be null
	create      bool // may be given on create
	update      bool // may be given on update
	unique      bool
	external    bool     // an external id: usable as an upsert key
	def         any      // value on create when none is given
	refTo       []string // objects a reference may point at
	rel         string   // relationship name of a reference
	values      []string // picklist values; never restricted here
	compound    string   // compound field this one is a part of
	part        string   // key within the compound, as change events spell it
	personName  bool     // computed: FirstName LastName, not stored
	sys         sysField
	idx         int // place in record.vals; -1 when not stored there
}

func (f *field) custom() bool { return strings.HasSuffix(f.name, "__c") }

// stored reports whether a record's vals hold the field.
func (f *field) stored() bool { return f.idx >= 0 }

// childRel is a one-to-many relationship as a sub-select names it.
type childRel struct{ name, object, field string }

// object is one sObject type.
type object struct {
	name, label, plural, prefix string
	fields                      []*field
	children                    []childRel
	readOnly                    bool // no create, update or delete through the API
	byName                      map[string]*field
	byRel                       map[string]*field
	compounds                   []string // compound fields in order
	stored                      []*field // by idx
}

// field finds a field by name, ignoring case as the vendor does; nil if there is none.
func (o *object) field(name string) *field {
	if f, ok := o.byName[name]; ok { // exact names first: the common case costs no allocation
		return f
	}
	return o.byName[strings.ToLower(name)]
}

// parts lists the fields of a compound in table order.
func (o *object) parts(compound string) []*field {
	var out []*field
	for _, f := range o.fields {
		if f.compound == compound {
			out = append(out, f)
		}
	}
	return out
}

// newObject indexes a field table.
func newObject(o object, fields ...*field) *object {
	system := []*field{
		{name: "Id", typ: tID, length: longIDLen, sys: sysID, required: true},
		{name: "IsDeleted", typ: tBoolean, sys: sysDeleted, required: true},
	}
	stamps := []*field{
		{name: "CreatedDate", typ: tDatetime, sys: sysCreated, required: true},
		{name: "CreatedById", typ: tReference, sys: sysCreatedBy, refTo: []string{"User"}, rel: "CreatedBy", required: true},
		{name: "LastModifiedDate", typ: tDatetime, sys: sysModified, required: true},
		{name: "LastModifiedById", typ: tReference, sys: sysModifiedBy, refTo: []string{"User"}, rel: "LastModifiedBy", required: true},
		{name: "SystemModstamp", typ: tDatetime, sys: sysStamp, required: true},
	}
	o.fields = append(append(system, fields...), stamps...)
	o.byName = make(map[string]*field, 2*len(o.fields))
	o.byRel = make(map[string]*field)
	for _, f := range o.fields {
		if f.label == "" {
			f.label = labelOf(f.name)
		}
		f.idx = -1
		if f.sys == sysNone && f.typ != tAddress && !f.personName {
			f.idx = len(o.stored)
			o.stored = append(o.stored, f)
		}
		if f.typ == tAddress {
			o.compounds = append(o.compounds, f.name)
		}
		o.byName[f.name] = f
		o.byName[strings.ToLower(f.name)] = f
		if f.rel != "" {
			o.byRel[strings.ToLower(f.rel)] = f
		}
	}
	return &o
}

// labelOf makes a label of an API name: "LastName" is "Last Name", "Dialer_DNC__c" is "Dialer DNC".
func labelOf(name string) string {
	name = strings.ReplaceAll(strings.TrimSuffix(name, "__c"), "_", " ")
	var b strings.Builder
	for i, c := range name {
		if i > 0 && c >= 'A' && c <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z' {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// objectNamed finds an object by name, ignoring case; nil if there is none.
func objectNamed(name string) *object {
	if o, ok := objects[name]; ok {
		return o
	}
	for _, o := range objectList {
		if strings.EqualFold(o.name, name) {
			return o
		}
	}
	return nil
}

// objectOfID finds the object an id belongs to by its key prefix; nil if there is none.
func objectOfID(id string) *object {
	if len(id) < 3 {
		return nil
	}
	return objectByPrefix[id[:3]]
}
