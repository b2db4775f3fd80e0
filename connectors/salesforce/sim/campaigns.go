package sim

// Campaigns and who is in them. Deviations: statuses are not kept per campaign, so that any text is taken and only "Responded"
// counts as a response; the words of the error for a member of nobody are not documented.

var campaignObject = newObject(object{name: "Campaign", label: "Campaign", plural: "Campaigns", prefix: "701",
	children: []childRel{{"CampaignMembers", "CampaignMember", "CampaignId"}}},
	text("Name", 80).req(), owner(), pick("Type", 40, "Email", "Telemarketing", "Other"), pick("Status", 40, "Planned", "In Progress", "Completed").or("Planned"),
	flag("IsActive"), typed("StartDate", tDate, 0), typed("EndDate", tDate, 0),
)

// memberObject has no external id: a member is known by the campaign and the person.
var memberObject = newObject(object{name: "CampaignMember", label: "Campaign Member", plural: "Campaign Members", prefix: "00v"},
	ref("CampaignId", "Campaign", "Campaign").req().createOnly(), ref("LeadId", "Lead", "Lead").createOnly(), ref("ContactId", "Contact", "Contact").createOnly(),
	pick("Status", 40, "Sent", "Responded").or("Sent"), flag("HasResponded").readonly(), typed("FirstRespondedDate", tDate, 0).readonly(),
)

// deriveMember keeps one member for a campaign and a person. With both a lead and a contact only the contact stays; a converted
// lead's member has both, which convert sets.
func (t *tx) deriveMember(old, r *record) *apiError {
	lead, contact := memberObject.getString(r, "LeadId"), memberObject.getString(r, "ContactId")
	switch {
	case lead == "" && contact == "":
		return badRequest("REQUIRED_FIELD_MISSING", "Required fields are missing: [LeadId]", "LeadId")
	case old == nil && contact != "":
		lead = ""
		memberObject.set(r, "LeadId", nil)
	}
	if old == nil {
		campaign := memberObject.getString(r, "CampaignId")
		for _, s := range t.o.tables[memberObject].order {
			m := s.rec
			if !m.deleted && memberObject.getString(m, "CampaignId") == campaign &&
				(lead != "" && memberObject.getString(m, "LeadId") == lead || contact != "" && memberObject.getString(m, "ContactId") == contact) {
				return badRequest("DUPLICATE_VALUE", "Already a campaign member.")
			}
		}
	}
	responded := memberObject.getString(r, "Status") == "Responded"
	memberObject.set(r, "HasResponded", responded)
	if responded && memberObject.get(r, "FirstRespondedDate") == nil {
		memberObject.set(r, "FirstRespondedDate", t.at.UTC().Format(dateOnly))
	}
	return nil
}

// convertMembers lets the members that a lead was be its contact's, too.
func (t *tx) convertMembers(lead, contact string) *apiError {
	for _, s := range t.o.tables[memberObject].order {
		if r := s.rec; !r.deleted && memberObject.getString(r, "LeadId") == lead {
			if err := t.change(memberObject, r, []assign{{memberObject.byName["ContactId"], contact}}, change{quiet: true}); err != nil {
				return err
			}
		}
	}
	return nil
}
