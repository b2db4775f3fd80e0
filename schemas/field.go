package schemas

// Field is one named value as text, in the form of the system that it came from
// or goes to. Lists of fields are sorted by name wherever we write them.
type Field struct {
	// Name of the field in the words of its system: the dialer's on sync.contacts and dialer.*, e.g.
	// "mobile_phone", the CRM's on crm.*, e.g. "MobilePhone".
	Name string `avro:"name"`
	// Value as text, in the form of its system, e.g. "+14155550100", "true", "2026-03-01". Null: the field is
	// empty, or is cleared. A field that is not in a list of changes is unchanged. Personal data.
	Value *string `avro:"value"`
}

// Text is a Field with a value.
func Text(name, value string) Field { return Field{Name: name, Value: &value} }

// Link names one record in one CRM.
type Link struct {
	// Name of the CRM, as in the tenant's configuration, e.g. "salesforce", "hubspot".
	Provider string `avro:"provider"`
	// The CRM's own name of the kind of record, e.g. "Lead", "Contact", "contacts".
	Object string `avro:"object"`
	// The record's id, as the CRM gave it, e.g. "00Q5g000007abcdEAA" (Salesforce, 18 characters where we write it),
	// "51" (HubSpot).
	ID string `avro:"id"`
}
