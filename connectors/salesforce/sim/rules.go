package sim

import (
	"fmt"
	"strings"
)

// The rules a row must keep and the fields the server derives from others. Deviations: the text of the Lead-and-WhatId error is
// not documented; e-mail syntax and picklist membership are not checked; deleting a parent leaves its children alone.

// check derives computed fields of r and verifies it against the tables. old is nil for a create.
func (t *tx) check(o *object, old, r *record) *apiError {
	var missing []string
	for _, f := range o.stored {
		if f.required && r.vals[f.idx] == nil {
			missing = append(missing, f.name)
		}
	}
	if missing != nil {
		return badRequest("REQUIRED_FIELD_MISSING", "Required fields are missing: ["+strings.Join(missing, ", ")+"]", missing...)
	}
	for _, f := range o.stored {
		if f.typ != tReference {
			continue
		}
		id, _ := r.vals[f.idx].(string)
		if id == "" || (old != nil && old.vals[f.idx] == id) {
			continue
		}
		if err := t.checkReference(f, id); err != nil {
			return err
		}
	}
	if err := t.checkUnique(o, r); err != nil {
		return err
	}
	switch o {
	case taskObject:
		return t.deriveTask(old, r)
	case eventObject:
		return t.deriveEvent(r)
	case opportunityObject:
		deriveOpportunity(old, r)
	case memberObject:
		return t.deriveMember(old, r)
	}
	return nil
}

func convertedLead() *apiError {
	return &apiError{status: 400, code: "CANNOT_UPDATE_CONVERTED_LEAD", message: "cannot reference converted lead", fields: []string{}}
}

func (t *tx) checkReference(f *field, id string) *apiError {
	target := objectOfID(id)
	allowed := false
	for _, name := range f.refTo {
		allowed = allowed || (target != nil && target.name == name)
	}
	if !allowed {
		return badRequest("MALFORMED_ID", f.label+": id value of incorrect type: "+id, f.name)
	}
	r := t.o.tables[target].find(id)
	if r == nil || r.deleted {
		return badRequest("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", f.name)
	}
	if target == leadObject && f.name == "WhoId" && target.get(r, "IsConverted") == true {
		return convertedLead()
	}
	return nil
}

func (t *tx) checkUnique(o *object, r *record) *apiError {
	tab := t.o.tables[o]
	for f := range tab.unique {
		v, ok := r.vals[f.idx].(string)
		if !ok {
			continue
		}
		if id, taken := tab.unique[f][v]; taken && id != r.id {
			return &apiError{status: 400, code: "DUPLICATE_VALUE", fields: []string{},
				message: fmt.Sprintf("duplicate value found: %s duplicates value on record with id: %s", f.name, id)}
		}
	}
	return nil
}

// checkWho keeps the rule that an activity of a lead relates to nothing else, and derives AccountId: of the What, else of the Who.
func (t *tx) checkWho(o *object, r *record) *apiError {
	who, what := o.getString(r, "WhoId"), o.getString(r, "WhatId")
	if objectOfID(who) == leadObject && what != "" {
		return badRequest("FIELD_INTEGRITY_EXCEPTION", "A task or event for a lead cannot also be related to another record: WhatId must be empty", "WhatId")
	}
	var account any
	switch {
	case objectOfID(what) == accountObject:
		account = what
	case objectOfID(what) == opportunityObject:
		account = opportunityObject.get(t.o.tables[opportunityObject].find(what), "AccountId")
	case objectOfID(who) == contactObject:
		account = contactObject.get(t.o.tables[contactObject].find(who), "AccountId")
	}
	o.set(r, "AccountId", account)
	return nil
}

func (t *tx) deriveTask(old, r *record) *apiError {
	if err := t.checkWho(taskObject, r); err != nil {
		return err
	}
	closed := taskObject.getString(r, "Status") == "Completed"
	wasClosed := old != nil && taskObject.get(old, "IsClosed") == true
	taskObject.set(r, "IsClosed", closed)
	taskObject.set(r, "IsHighPriority", taskObject.getString(r, "Priority") == "High")
	switch {
	case closed && !wasClosed:
		taskObject.set(r, "CompletedDateTime", t.at.Unix())
	case !closed:
		taskObject.set(r, "CompletedDateTime", nil)
	}
	return nil
}

func (t *tx) deriveEvent(r *record) *apiError {
	start, hasStart := eventObject.get(r, "ActivityDateTime").(int64)
	if !hasStart {
		if start, hasStart = eventObject.get(r, "StartDateTime").(int64); hasStart {
			eventObject.set(r, "ActivityDateTime", start)
		}
	}
	minutes, hasLength := eventObject.get(r, "DurationInMinutes").(int64)
	if end, ok := eventObject.get(r, "EndDateTime").(int64); ok && hasStart && !hasLength {
		minutes, hasLength = (end-start)/60, true
		eventObject.set(r, "DurationInMinutes", minutes)
	}
	if eventObject.get(r, "IsAllDayEvent") != true && (!hasStart || !hasLength) {
		missing := []string{"ActivityDateTime", "DurationInMinutes"}
		return badRequest("REQUIRED_FIELD_MISSING", "Required fields are missing: ["+strings.Join(missing, ", ")+"]", missing...)
	}
	if hasStart {
		eventObject.set(r, "StartDateTime", start)
		if hasLength {
			eventObject.set(r, "EndDateTime", start+minutes*60)
		}
	}
	return t.checkWho(eventObject, r)
}

// deriveOpportunity sets what a stage means. A probability given in the same request wins over the stage's.
func deriveOpportunity(old, r *record) {
	stage := opportunityObject.getString(r, "StageName")
	opportunityObject.set(r, "IsClosed", strings.HasPrefix(stage, "Closed"))
	opportunityObject.set(r, "IsWon", stage == "Closed Won")
	given := opportunityObject.get(r, "Probability")
	if old != nil && (opportunityObject.getString(old, "StageName") == stage || opportunityObject.get(old, "Probability") != given) {
		return
	}
	if old == nil && given != nil {
		return
	}
	probability := map[string]float64{"Prospecting": 10, "Qualification": 10, "Proposal/Price Quote": 75, "Negotiation/Review": 90, "Closed Won": 100}
	opportunityObject.set(r, "Probability", probability[stage])
}
