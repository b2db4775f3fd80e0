package sim

// The field tables. Lengths and rules of Task follow the object reference; the other objects carry their main standard fields.
// Deviations: picklists take any value; fewer fields than the vendor; no record types, person accounts or currencies.

// Field makers, so that a table reads one field a line. Each returns a field that may be given on create and update.
func text(name string, length int) *field {
	return &field{name: name, typ: tString, length: length, create: true, update: true}
}
func typed(name string, typ fieldType, length int) *field {
	f := text(name, length)
	f.typ = typ
	return f
}
func pick(name string, length int, values ...string) *field {
	f := typed(name, tPicklist, length)
	f.values = values
	return f
}
func ref(name, rel string, to ...string) *field {
	f := typed(name, tReference, longIDLen)
	f.rel, f.refTo = rel, to
	return f
}
func flag(name string) *field {
	f := typed(name, tBoolean, 0)
	f.required, f.def = true, false
	return f
}
func number(name string, typ fieldType, digits, scale int) *field {
	f := typed(name, typ, 0)
	f.digits, f.scale = digits, scale
	return f
}
func (f *field) req() *field { f.required = true; return f }
func (f *field) or(def any) *field {
	f.def, f.required = def, true
	return f
}
func (f *field) readonly() *field   { f.create, f.update = false, false; return f }
func (f *field) createOnly() *field { f.update = false; return f }
func (f *field) key() *field        { f.unique, f.external = true, true; return f }
func (f *field) in(compound, part string) *field {
	f.compound, f.part = compound, part
	return f
}

// personName is the read-only Name of a person and its parts. Events carry the parts below Name.
func personName() []*field {
	return []*field{
		pick("Salutation", 40, "Mr.", "Ms.", "Mrs.", "Dr.", "Prof.").in("Name", "Salutation"),
		text("FirstName", 40).in("Name", "FirstName"),
		text("LastName", 80).in("Name", "LastName").req(),
		{name: "Name", label: "Full Name", typ: tString, length: 121, personName: true, required: true},
	}
}

// address is a compound address, read-only, and its writable parts.
func address(prefix, compound string) []*field {
	return []*field{
		typed(prefix+"Street", tTextarea, 255).in(compound, "Street"),
		text(prefix+"City", 40).in(compound, "City"),
		text(prefix+"State", 80).in(compound, "State"),
		text(prefix+"PostalCode", 20).in(compound, "PostalCode"),
		text(prefix+"Country", 80).in(compound, "Country"),
		{name: compound, typ: tAddress},
	}
}

// dialerFields are the custom fields of a dialer's package on Lead and Contact.
func dialerFields() []*field {
	return []*field{
		text("Dialer_Last_Disposition__c", 255),
		number("Dialer_Call_Count__c", tDouble, 18, 0),
		number("Dialer_AI_Score__c", tDouble, 18, 2),
		typed("Dialer_Last_Called__c", tDatetime, 0),
		flag("Dialer_DNC__c"),
	}
}

func concat(lists ...[]*field) []*field {
	var out []*field
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

func one(fields ...*field) []*field { return fields }

func owner() *field { return ref("OwnerId", "Owner", "User").req() }

var leadObject = newObject(object{name: "Lead", label: "Lead", plural: "Leads", prefix: "00Q", children: activityChildren("WhoId")}, concat(
	one(ref("MasterRecordId", "MasterRecord", "Lead").readonly()),
	personName(),
	one(text("Title", 128), text("Company", 255).req()),
	address("", "Address"),
	one(
		typed("Phone", tPhone, 40), typed("MobilePhone", tPhone, 40), typed("Fax", tPhone, 40),
		typed("Email", tEmail, 80), typed("Website", tURL, 255), typed("Description", tTextarea, 32000),
		pick("LeadSource", 255, "Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other"),
		pick("Status", 255, "Open - Not Contacted", "Working - Contacted", "Closed - Converted", "Closed - Not Converted").or("Open - Not Contacted"),
		pick("Industry", 255), pick("Rating", 255, "Hot", "Warm", "Cold"),
		number("AnnualRevenue", tCurrency, 18, 0), number("NumberOfEmployees", tInt, 8, 0),
		owner(), flag("HasOptedOutOfEmail"), flag("DoNotCall"),
		flag("IsConverted").readonly(), typed("ConvertedDate", tDate, 0).readonly(),
		ref("ConvertedAccountId", "ConvertedAccount", "Account").readonly(),
		ref("ConvertedContactId", "ConvertedContact", "Contact").readonly(),
		ref("ConvertedOpportunityId", "ConvertedOpportunity", "Opportunity").readonly(),
	),
	dialerFields(),
)...)

var contactObject = newObject(object{name: "Contact", label: "Contact", plural: "Contacts", prefix: "003", children: activityChildren("WhoId")}, concat(
	one(ref("MasterRecordId", "MasterRecord", "Contact").readonly(), ref("AccountId", "Account", "Account")),
	personName(),
	address("Mailing", "MailingAddress"),
	address("Other", "OtherAddress"),
	one(
		typed("Phone", tPhone, 40), typed("Fax", tPhone, 40), typed("MobilePhone", tPhone, 40), typed("HomePhone", tPhone, 40),
		typed("OtherPhone", tPhone, 40), typed("AssistantPhone", tPhone, 40), ref("ReportsToId", "ReportsTo", "Contact"),
		typed("Email", tEmail, 80), text("Title", 128), text("Department", 80), text("AssistantName", 40),
		pick("LeadSource", 255, "Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other"),
		typed("Birthdate", tDate, 0), typed("Description", tTextarea, 32000),
		owner(), flag("HasOptedOutOfEmail"), flag("DoNotCall"),
	),
	dialerFields(),
)...)

var accountObject = newObject(object{name: "Account", label: "Account", plural: "Accounts", prefix: "001", children: append(activityChildren("WhatId"),
	childRel{"Contacts", "Contact", "AccountId"}, childRel{"Opportunities", "Opportunity", "AccountId"})}, concat(
	one(ref("MasterRecordId", "MasterRecord", "Account").readonly(), text("Name", 255).req(), pick("Type", 255), ref("ParentId", "Parent", "Account")),
	address("Billing", "BillingAddress"),
	address("Shipping", "ShippingAddress"),
	one(
		typed("Phone", tPhone, 40), typed("Fax", tPhone, 40), text("AccountNumber", 40), typed("Website", tURL, 255),
		text("Site", 80), pick("Industry", 255), number("AnnualRevenue", tCurrency, 18, 0), number("NumberOfEmployees", tInt, 8, 0),
		typed("Description", tTextarea, 32000), pick("Rating", 255, "Hot", "Warm", "Cold"), pick("AccountSource", 255), owner(),
	),
)...)

var opportunityObject = newObject(object{name: "Opportunity", label: "Opportunity", plural: "Opportunities", prefix: "006", children: activityChildren("WhatId")},
	ref("AccountId", "Account", "Account"), text("Name", 120).req(), typed("Description", tTextarea, 32000),
	pick("StageName", 255, "Prospecting", "Qualification", "Proposal/Price Quote", "Negotiation/Review", "Closed Won", "Closed Lost").req(),
	number("Amount", tCurrency, 18, 2), number("Probability", tPercent, 3, 0), typed("CloseDate", tDate, 0).req(),
	pick("Type", 255), text("NextStep", 255), pick("LeadSource", 255),
	flag("IsClosed").readonly(), flag("IsWon").readonly(), owner(),
)

var taskObject = newObject(object{name: "Task", label: "Task", plural: "Tasks", prefix: "00T"}, concat(
	activityFields(),
	one(
		pick("Status", 40, "Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred").or("Not Started"),
		pick("Priority", 20, "High", "Normal", "Low").or("Normal"),
		flag("IsHighPriority").readonly(), flag("IsClosed").readonly(),
		typed("ActivityDate", tDate, 0),
		number("CallDurationInSeconds", tInt, 8, 0), pick("CallType", 40, "Internal", "Inbound", "Outbound"),
		text("CallDisposition", 255), text("CallObject", 255),
		pick("TaskSubtype", 40, "Task", "Email", "Call", "List Email", "Cadence").or("Task").createOnly(),
		typed("CompletedDateTime", tDatetime, 0).readonly(),
		typed("Dialer_Call_Recording_URL__c", tURL, 255),
	),
)...)

var eventObject = newObject(object{name: "Event", label: "Event", plural: "Events", prefix: "00U"}, concat(
	activityFields(),
	one(
		text("Location", 255), flag("IsAllDayEvent"),
		typed("ActivityDateTime", tDatetime, 0), typed("ActivityDate", tDate, 0),
		number("DurationInMinutes", tInt, 8, 0), typed("StartDateTime", tDatetime, 0), typed("EndDateTime", tDatetime, 0),
		pick("ShowAs", 40, "Busy", "OutOfOffice", "Free").or("Busy"), flag("IsPrivate"),
		pick("EventSubtype", 40, "Event").or("Event").createOnly(),
	),
)...)

// activityFields are those of Activity, which Task and Event share. A custom field of Activity appears on both.
func activityFields() []*field {
	return []*field{
		ref("WhoId", "Who", "Contact", "Lead"), ref("WhatId", "What", "Account", "Opportunity"),
		typed("Subject", tCombobox, 255), typed("Description", tTextarea, 32000), owner(),
		ref("AccountId", "Account", "Account").readonly(), flag("IsArchived").readonly(),
		text("Dialer_Call_Id__c", 255).key(),
	}
}

func activityChildren(by string) []childRel {
	return []childRel{{"Tasks", "Task", by}, {"Events", "Event", by}}
}

var userObject = newObject(object{name: "User", label: "User", plural: "Users", prefix: "005", readOnly: true},
	text("Username", 80).req().readonly(), text("Name", 121).req().readonly(), typed("Email", tEmail, 128).req().readonly(), flag("IsActive").or(true).readonly(),
	pick("TimeZoneSidKey", 40, "America/Denver", "America/Los_Angeles", "America/New_York", "Asia/Tokyo", "Europe/Berlin", "Europe/London", "GMT").req().readonly(),
)

// sessionObject and dropObject are the custom objects of a dialer's package.
var sessionObject = newObject(object{name: "Dialer_Session__c", label: "Dialer Session", plural: "Dialer Sessions", prefix: "a01"},
	text("Name", 80), owner(), text("Dialer_Event_Id__c", 255).key(), text("Rep__c", 80), typed("Ended__c", tDatetime, 0),
	number("Calls__c", tDouble, 18, 0), number("Connected__c", tDouble, 18, 0),
)

var dropObject = newObject(object{name: "Dialer_Voicemail_Drop__c", label: "Dialer Voicemail Drop", plural: "Dialer Voicemail Drops", prefix: "a02"},
	text("Name", 80), owner(), text("Dialer_Event_Id__c", 255).key(), text("Template__c", 80), text("Phone__c", 40),
)

// objectList is every object, in the order of the global describe.
var objectList = []*object{accountObject, campaignObject, memberObject, contactObject, dropObject, sessionObject, eventObject, leadObject, opportunityObject, taskObject, userObject}

var objects, objectByPrefix = func() (map[string]*object, map[string]*object) {
	names, prefixes := map[string]*object{}, map[string]*object{}
	for _, o := range objectList {
		names[o.name], prefixes[o.prefix] = o, o
	}
	return names, prefixes
}()
