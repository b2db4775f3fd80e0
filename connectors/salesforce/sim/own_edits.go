package sim

// Serves the edits a person makes in the CRM's own pages: POST /_sim/write, /_sim/convert, /_sim/merge, and /_sim/grant, which stands
// for a finished OAuth web-server flow. Their events carry the origin of the UI.
//
// Deviations: a conversion copies the main fields only and repoints activities without an event; a merge deletes the losers in
// one event, reparents their children without events, and keeps the winner's values unless fields are given.

import (
	"net/http"
	"strings"

	"github.com/crmstream/crmstream/connectors/simkit"
)

// edit is the common part of the requests.
type edit struct {
	Org  string `json:"org"`
	User string `json:"user"` // username or id; empty is the org's first user
}

// readEdit reads a request, of which e is the common part, finds the org and makes the actor; ok is false when it has been answered.
func (s *Server) readEdit(w http.ResponseWriter, r *http.Request, req any, e *edit) (o *org, by actor, ok bool) {
	if !simkit.ReadJSON(w, r, req) {
		return nil, actor{}, false
	}
	if o = s.ownOrg(w, e.Org); o == nil {
		return nil, actor{}, false
	}
	if len(o.cfg.Users) == 0 {
		simkit.Error(w, http.StatusNotFound, "the org has no user")
		return nil, actor{}, false
	}
	u := o.cfg.Users[0]
	if e.User != "" {
		if u, ok = o.userNamed(e.User); !ok {
			simkit.Error(w, http.StatusNotFound, "no user "+e.User)
			return nil, actor{}, false
		}
	}
	return o, actor{user: u.ID, origin: uiOrigin}, true
}

// ownTx runs fn as one transaction of the UI and answers what it returns. Errors have the vendor's shape.
func (s *Server) ownTx(w http.ResponseWriter, o *org, by actor, fn func(t *tx) (any, *apiError)) {
	o.mu.Lock()
	t := o.begin(by)
	body, err := fn(t)
	if err != nil {
		t.rollback()
	} else if cerr := t.commit(); cerr != nil {
		s.log.Error("commit", "org", o.id, "error", cerr)
		err = internalError()
	}
	o.mu.Unlock()
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, body)
}

func (s *Server) ownWrite(w http.ResponseWriter, r *http.Request) {
	var req struct {
		edit
		Object   string         `json:"object"`
		ID       string         `json:"id"`
		Fields   map[string]any `json:"fields"`
		Delete   bool           `json:"delete"`
		Undelete bool           `json:"undelete"`
	}
	o, by, ok := s.readEdit(w, r, &req, &req.edit)
	if !ok {
		return
	}
	obj := objectNamed(req.Object)
	if obj == nil {
		simkit.Error(w, http.StatusNotFound, "no object "+req.Object)
		return
	}
	s.ownTx(w, o, by, func(t *tx) (any, *apiError) {
		if req.ID == "" {
			id, err := t.insert(obj, req.Fields)
			return map[string]any{"id": id, "created": true}, err
		}
		id, err := rowID(obj, req.ID)
		switch {
		case err != nil:
		case req.Delete:
			err = t.remove(obj, id, "")
		case req.Undelete:
			err = t.restore(obj, id)
		default:
			err = t.update(obj, id, req.Fields)
		}
		return map[string]any{"id": id, "created": false}, err
	})
}

func (s *Server) ownConvert(w http.ResponseWriter, r *http.Request) {
	var req struct {
		edit
		Lead        string `json:"lead"`
		Account     string `json:"account"` // existing ones; created when empty
		Contact     string `json:"contact"`
		Opportunity bool   `json:"opportunity"`
	}
	o, by, ok := s.readEdit(w, r, &req, &req.edit)
	if !ok {
		return
	}
	s.ownTx(w, o, by, func(t *tx) (any, *apiError) {
		id, err := rowID(leadObject, req.Lead)
		if err != nil {
			return nil, err
		}
		lead, err := o.liveRecord(leadObject, id)
		if err != nil {
			return nil, err
		}
		if leadObject.get(lead, "IsConverted") == true {
			return nil, convertedLead()
		}
		return t.convert(lead, req.Account, req.Contact, req.Opportunity)
	})
}

// convert turns a lead into an account, a contact and perhaps an opportunity: one transaction, the lead's event last and without
// LastModifiedDate.
func (t *tx) convert(lead *record, account, contact string, opportunity bool) (any, *apiError) {
	var err *apiError
	if account == "" {
		if account, err = t.create(accountObject, copied(lead, accountObject, "Name=Company", "Phone", "Website", "Industry", "OwnerId",
			"BillingStreet=Street", "BillingCity=City", "BillingState=State", "BillingPostalCode=PostalCode", "BillingCountry=Country")); err != nil {
			return nil, err
		}
	}
	if contact == "" {
		fields := copied(lead, contactObject, "Salutation", "FirstName", "LastName", "Title", "Email", "Phone", "MobilePhone", "Fax", "LeadSource", "OwnerId",
			"DoNotCall", "HasOptedOutOfEmail", "MailingStreet=Street", "MailingCity=City", "MailingState=State", "MailingPostalCode=PostalCode",
			"MailingCountry=Country", "Dialer_Last_Disposition__c", "Dialer_Call_Count__c", "Dialer_AI_Score__c", "Dialer_Last_Called__c", "Dialer_DNC__c")
		if contact, err = t.create(contactObject, append(fields, assign{contactObject.byName["AccountId"], account})); err != nil {
			return nil, err
		}
	}
	var opp any
	if opportunity {
		fields := append(copied(lead, opportunityObject, "Name=Company", "OwnerId", "LeadSource"),
			assign{opportunityObject.byName["AccountId"], account}, assign{opportunityObject.byName["StageName"], "Prospecting"},
			assign{opportunityObject.byName["CloseDate"], t.at.UTC().AddDate(0, 0, 90).Format(dateOnly)})
		id, err := t.create(opportunityObject, fields)
		if err != nil {
			return nil, err
		}
		opp = id
	}
	if err := t.repoint(lead.id, contact, "WhoId", taskObject, eventObject); err != nil {
		return nil, err
	}
	if err := t.convertMembers(lead.id, contact); err != nil {
		return nil, err
	}
	set := func(name string, v any) assign { return assign{leadObject.byName[name], v} }
	err = t.change(leadObject, lead, []assign{
		set("IsConverted", true), set("ConvertedDate", t.at.UTC().Format(dateOnly)), set("ConvertedAccountId", account),
		set("ConvertedContactId", contact), set("ConvertedOpportunityId", opp), set("Status", "Closed - Converted"),
	}, change{still: true})
	return map[string]any{"account": account, "contact": contact, "opportunity": opp}, err
}

// copied takes over a lead's fields, "To=From" under another name.
func copied(lead *record, to *object, names ...string) []assign {
	var out []assign
	for _, name := range names {
		name, from, renamed := strings.Cut(name, "=")
		if !renamed {
			from = name
		}
		if v := leadObject.get(lead, from); v != nil {
			out = append(out, assign{to.byName[name], v})
		}
	}
	return out
}

// repoint moves the live records that refer to one id by a field to another, without events.
func (t *tx) repoint(from, to, by string, objs ...*object) *apiError {
	for _, obj := range objs {
		for _, s := range t.o.tables[obj].order {
			if r := s.rec; !r.deleted && obj.getString(r, by) == from {
				if err := t.change(obj, r, []assign{{obj.byName[by], to}}, change{quiet: true}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *Server) ownMerge(w http.ResponseWriter, r *http.Request) {
	var req struct {
		edit
		Object string         `json:"object"`
		Winner string         `json:"winner"`
		Losers []string       `json:"losers"`
		Fields map[string]any `json:"fields"`
	}
	o, by, ok := s.readEdit(w, r, &req, &req.edit)
	if !ok {
		return
	}
	obj := objectNamed(req.Object)
	if obj == nil || obj.byName["MasterRecordId"] == nil || len(req.Losers) == 0 {
		simkit.Error(w, http.StatusBadRequest, "a merge needs an object that can be merged, a winner and losers")
		return
	}
	s.ownTx(w, o, by, func(t *tx) (any, *apiError) {
		winner, err := rowID(obj, req.Winner)
		if err != nil {
			return nil, err
		}
		for _, raw := range req.Losers {
			loser, err := rowID(obj, raw)
			if err != nil {
				return nil, err
			}
			if loser == winner {
				return nil, badRequest("INVALID_ID_FIELD", "a record cannot be merged with itself")
			}
			if err := t.remove(obj, loser, winner); err != nil {
				return nil, err
			}
		}
		if err := t.update(obj, winner, req.Fields); err != nil {
			return nil, err
		}
		for _, raw := range req.Losers {
			loser, _ := canonicalID(raw) // checked above
			for _, rel := range obj.children {
				if err := t.repoint(loser, winner, rel.field, objects[rel.object]); err != nil {
					return nil, err
				}
			}
		}
		return map[string]any{"id": winner}, nil
	})
}

func (s *Server) ownGrant(w http.ResponseWriter, r *http.Request) {
	var req struct {
		edit
		ClientID string `json:"client_id"`
	}
	o, by, ok := s.readEdit(w, r, &req, &req.edit)
	if !ok {
		return
	}
	if _, ok := o.app(req.ClientID); !ok {
		simkit.Error(w, http.StatusNotFound, "no app with this client id")
		return
	}
	o.mu.Lock()
	token, err := o.grantRefresh(by.user, req.ClientID)
	o.mu.Unlock()
	if err != nil {
		simkit.Error(w, http.StatusInternalServerError, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"refresh_token": token})
}
