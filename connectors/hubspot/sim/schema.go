package sim

import (
	"slices"
	"strings"
)

// objectType is one kind of CRM record.
type objectType struct {
	name     string // as in paths: "contacts"
	singular string // as in webhooks: "contact"
	id       string // "0-1"
	created  string // the property that holds the instant of creation
	modified string // the property that holds the instant of the last change
	scope    string // crm.objects.<scope>.read
	returned []string
	query    []string // properties that a search's query looks at
	builtin  []*property
}

// property is a property definition, as it is answered and logged. It is never changed once published.
type property struct {
	UpdatedAt            string        `json:"updatedAt,omitempty"`
	CreatedAt            string        `json:"createdAt,omitempty"`
	Name                 string        `json:"name"`
	Label                string        `json:"label"`
	Type                 string        `json:"type"`
	FieldType            string        `json:"fieldType"`
	Description          string        `json:"description"`
	GroupName            string        `json:"groupName"`
	Options              []option      `json:"options"`
	DisplayOrder         int           `json:"displayOrder"`
	Calculated           bool          `json:"calculated"`
	ExternalOptions      bool          `json:"externalOptions"`
	HasUniqueValue       bool          `json:"hasUniqueValue"`
	Hidden               bool          `json:"hidden"`
	HubspotDefined       bool          `json:"hubspotDefined,omitempty"`
	ModificationMetadata *modification `json:"modificationMetadata,omitempty"`
	FormField            bool          `json:"formField"`
	DataSensitivity      string        `json:"dataSensitivity,omitempty"`
}

type option struct {
	Label        string `json:"label"`
	Value        string `json:"value"`
	DisplayOrder int    `json:"displayOrder"`
	Hidden       bool   `json:"hidden"`
}

type modification struct {
	Archivable         bool `json:"archivable"`
	ReadOnlyDefinition bool `json:"readOnlyDefinition"`
	ReadOnlyValue      bool `json:"readOnlyValue"`
}

func (p *property) readOnly() bool {
	return p.ModificationMetadata != nil && p.ModificationMetadata.ReadOnlyValue
}

// The properties of each type are written "name:type:fieldType", with "!" before those that only the vendor writes and the values
// of an enumeration after "=".
var objectTypes = []*objectType{
	newType("contacts", "contact", "0-1", "createdate", "lastmodifieddate", "contacts",
		[]string{"email", "firstname", "lastname"}, []string{"firstname", "lastname", "email", "phone", "mobilephone", "company"},
		"email:string:text firstname:string:text lastname:string:text company:string:text jobtitle:string:text salutation:string:text "+
			"phone:string:phonenumber mobilephone:string:phonenumber fax:string:text website:string:text hs_whatsapp_phone_number:string:phonenumber "+
			"address:string:text city:string:text state:string:text zip:string:text country:string:text hs_language:string:text "+
			"lifecyclestage:enumeration:radio="+strings.Join(stages, ",")+" "+
			"hs_lead_status:enumeration:radio=NEW,OPEN,IN_PROGRESS,OPEN_DEAL,UNQUALIFIED,ATTEMPTED_TO_CONTACT,CONNECTED,BAD_TIMING "+
			"hs_timezone:string:text message:string:textarea date_of_birth:string:text "+
			"!associatedcompanyid:number:number !num_notes:number:number !num_contacted_notes:number:number !notes_last_contacted:datetime:date "+
			"!hs_searchable_calculated_phone_number:string:text !hs_searchable_calculated_mobile_number:string:text "+
			"!hs_email_domain:string:text !hs_all_contact_vids:string:text !hs_is_contact:bool:booleancheckbox "+
			"!hs_is_unworked:bool:booleancheckbox !hs_pipeline:string:text !hs_merged_object_ids:string:text"),
	newType("companies", "company", "0-2", "createdate", "hs_lastmodifieddate", "companies",
		[]string{"domain", "name"}, []string{"name", "domain", "phone", "website"},
		"name:string:text domain:string:text phone:string:phonenumber website:string:text industry:string:text description:string:textarea "+
			"address:string:text city:string:text state:string:text zip:string:text country:string:text numberofemployees:number:number "+
			"annualrevenue:number:number lifecyclestage:enumeration:radio="+strings.Join(stages, ",")+" !hs_merged_object_ids:string:text"),
	newType("deals", "deal", "0-3", "createdate", "hs_lastmodifieddate", "deals",
		[]string{"amount", "closedate", "dealname", "dealstage", "pipeline"}, []string{"dealname"},
		"dealname:string:text amount:number:number closedate:datetime:date pipeline:enumeration:select=default "+
			"dealstage:enumeration:radio=appointmentscheduled,qualifiedtobuy,presentationscheduled,decisionmakerboughtin,contractsent,closedwon,closedlost "+
			"dealtype:enumeration:radio=newbusiness,existingbusiness description:string:textarea deal_currency_code:enumeration:select=CAD,EUR,GBP,JPY,USD "+
			"!hs_is_closed:bool:booleancheckbox !hs_is_closed_won:bool:booleancheckbox !hs_primary_associated_company:number:number "+
			"!hs_merged_object_ids:string:text"),
	newType("meetings", "meeting", "0-47", "hs_createdate", "hs_lastmodifieddate", "contacts",
		nil, []string{"hs_meeting_title"},
		"hs_timestamp:datetime:date hs_meeting_title:string:text hs_meeting_body:string:html hs_meeting_start_time:datetime:date "+
			"hs_meeting_end_time:datetime:date hs_meeting_location:string:text hs_meeting_outcome:enumeration:select=SCHEDULED,COMPLETED,RESCHEDULED,NO_SHOW,CANCELED"),
	newType("tasks", "task", "0-27", "hs_createdate", "hs_lastmodifieddate", "contacts",
		nil, []string{"hs_task_subject"},
		"hs_timestamp:datetime:date hs_task_subject:string:text hs_task_body:string:html hs_task_status:enumeration:select=NOT_STARTED,IN_PROGRESS,WAITING,COMPLETED,DEFERRED"),
	newType("calls", "call", "0-48", "hs_createdate", "hs_lastmodifieddate", "contacts",
		nil, []string{"hs_call_title", "hs_body_preview"},
		"hs_timestamp:datetime:date hs_call_title:string:text hs_call_body:string:html hs_call_direction:enumeration:select=INBOUND,OUTBOUND "+
			"hs_call_disposition:enumeration:select="+dispositionIDs()+" hs_call_duration:number:number hs_call_from_number:string:text "+
			"hs_call_to_number:string:text hs_call_recording_url:string:text hs_call_status:enumeration:select=BUSY,CALLING_CRM_USER,CANCELED,"+
			"COMPLETED,CONNECTING,FAILED,IN_PROGRESS,MISSED,NO_ANSWER,QUEUED,RINGING hs_call_callee_object_id:number:number "+
			"hs_call_callee_object_type:string:text hs_call_callee_object_type_id:string:text hs_call_source:string:text hs_call_app_id:number:number "+
			"hs_call_external_id:string:text hs_call_external_account_id:string:text hs_activity_type:string:text hs_attachment_ids:string:text "+
			"!hs_body_preview:string:text !hs_body_preview_html:string:html !hs_body_preview_is_truncated:bool:booleancheckbox "+
			"!hs_connected_count:number:number !hs_voicemail_count:number:number !hs_obj_coords:string:text !hs_all_owner_ids:string:text"),
}

var stages = []string{"subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other"}

// typeNamed finds an object type by path name, singular name or type id; nil if there is none.
func typeNamed(name string) *objectType {
	for _, ot := range objectTypes {
		if name == ot.name || name == ot.singular || name == ot.id {
			return ot
		}
	}
	return nil
}

func newType(name, singular, id, created, modified, scope string, returned, query []string, specs string) *objectType {
	ot := &objectType{name: name, singular: singular, id: id, created: created, modified: modified, scope: scope, query: query}
	ot.returned = append(ot.always(), returned...)
	specs += " hubspot_owner_id:enumeration:select !hubspot_owner_assigneddate:datetime:date !hs_object_id:number:number " +
		"!" + created + ":datetime:date !" + modified + ":datetime:date !hs_object_source:string:text !hs_object_source_id:string:text " +
		"!hs_object_source_label:string:text !hs_created_by_user_id:number:number !hs_updated_by_user_id:number:number"
	for i, spec := range strings.Fields(specs) {
		spec, values, _ := strings.Cut(spec, "=")
		bare, readOnly := strings.CutPrefix(spec, "!")
		part := strings.Split(bare, ":")
		p := &property{
			Name: part[0], Label: labelOf(part[0]), Type: part[1], FieldType: part[2], GroupName: singular + "information",
			Options: []option{}, DisplayOrder: i, HubspotDefined: true, Hidden: readOnly && strings.HasPrefix(part[0], "hs_"),
			ModificationMetadata: &modification{ReadOnlyDefinition: true, ReadOnlyValue: readOnly},
			FormField:            !readOnly, DataSensitivity: "non_sensitive", ExternalOptions: part[0] == "hubspot_owner_id",
		}
		if values != "" {
			for j, v := range strings.Split(values, ",") {
				p.Options = append(p.Options, option{Label: optionLabel(part[0], v), Value: v, DisplayOrder: j})
			}
		}
		if p.Type == "bool" {
			p.Options = []option{{Label: "True", Value: "true"}, {Label: "False", Value: "false", DisplayOrder: 1}}
		}
		ot.builtin = append(ot.builtin, p)
	}
	return ot
}

// always are the properties that every read returns.
func (ot *objectType) always() []string { return []string{ot.created, "hs_object_id", ot.modified} }

// labelOf makes a label of a name: "hs_call_title" is "Call title".
func labelOf(name string) string {
	s := strings.ReplaceAll(strings.TrimPrefix(name, "hs_"), "_", " ")
	return strings.ToUpper(s[:1]) + s[1:]
}

func optionLabel(name, value string) string {
	if name == "hs_call_disposition" {
		i := slices.IndexFunc(dispositions, func(d disposition) bool { return d.ID == value })
		return dispositions[i].Label
	}
	return labelOf(strings.ToLower(value))
}

// uniqueCallProperty is the property that a portal with PortalConfig.UniqueCallProperty has on calls from the start.
func uniqueCallProperty() *property {
	return &property{
		Name: "dialer_call_id", Label: "Dialer call id", Type: "string", FieldType: "text", GroupName: "callinformation", Options: []option{},
		HasUniqueValue: true, ModificationMetadata: &modification{Archivable: true}, DataSensitivity: "non_sensitive",
	}
}
