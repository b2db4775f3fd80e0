package schemas

// Field is one named value as text, in the form of the system that it came from
// or goes to. Lists of fields are sorted by name wherever we write them.
type Field struct {
	Name string `avro:"name"` // name of the field, in the form of its system
	// Value is nil where the field is cleared (null); a field that is not in the
	// list is unchanged.
	Value *string `avro:"value"`
}

// Text is a Field with a value.
func Text(name, value string) Field { return Field{Name: name, Value: &value} }

// Link names one record in one CRM.
type Link struct {
	Provider string `avro:"provider"` // "salesforce", "hubspot"
	Object   string `avro:"object"`   // the provider's own name: "Lead", "contacts"
	ID       string `avro:"id"`       // the record's id in the CRM
}
