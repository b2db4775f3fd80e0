package main

// behaviours breaks what people expect of the sync: who may not be written to, called or
// remembered, and what of two CRMs is one (docs/promises.md, its second table).
var behaviours = []mutant{
	{promise: "B6", what: "that a record became another one is forgotten", file: convertFile,
		old: `	w.became(was, is)
`,
		new: "",
		by:  "pipeline/pipetest: TestConversionsAndMergesGiveOnePerson"},
	{promise: "B6", what: "what a lead said of do-not-call ends with it", file: convertFile,
		old: `	if m, v, err := w.forbids(o, fields); err != nil {
		return err
	} else if m != nil {
		w.forbid(e, m.Dialer, v, e.at)
	}
`,
		new: "",
		by:  "pipeline/pipetest: convert_do_not_call.txt"},
	{promise: "B6", what: "the younger of two persons keeps its id", file: convertFile,
		old: `strings.Compare(a.ID, b.ID)) < 0
`,
		new: `strings.Compare(a.ID, b.ID)) > 0
`,
		by: "pipeline/pipetest: convert_no_email.txt"},
	{promise: "B6", what: "activities are not read again where their lead was converted", file: convertFile,
		old: `	w.timer(w.tx.Now, timerConverted, e.p.ID+"\x00")
`,
		new: "",
		by:  "pipeline/pipetest: convert_lead.txt"},

	{promise: "B7", what: "do-not-call of the one that was merged is lost", file: uniteFile,
		old: `	to.DNC, to.DNCAt = to.DNC || from.DNC, max(to.DNCAt, from.DNCAt)
`,
		new: "",
		by:  "pipeline/pipetest: identity_do_not_call.txt"},
	{promise: "B7", what: "the id of the one that was merged leads nowhere", file: uniteFile,
		old: `	w.setText(kindUnited, from.ID, to.ID)
`,
		new: "",
		by:  "pipeline/pipetest: TestConversionsAndMergesGiveOnePerson"},
	{promise: "B7", what: "calls of the one that was merged are not counted", file: uniteFile,
		old: `	w.timer(w.tx.Now, timerUnited, from.ID)
`,
		new: "",
		by:  "pipeline/pipetest: identity_counters.txt"},

	{promise: "B8", what: "an address of somebody who was erased is forgotten", file: eraseFile,
		old: `			w.setErased(erasedEmail, v)
`,
		new: "",
		by:  "pipeline/pipetest: erase_person.txt"},
	{promise: "B8", what: "an index still finds who was erased", file: eraseFile,
		old: `		w.tx.Store.Delete(w.t.Key(k, v+"\x00"+p.ID))
		if k == kindEmail {`,
		new: `		if k == kindEmail {`,
		by:  "pipeline/pipetest: TestNothingOfWhoWasErasedIsInState"},
	{promise: "B8", what: "what was said in calls stays in state", file: eraseFile,
		old: `	c.Edits, c.Link, c.Candidates, c.Activities, c.Ambiguous = nil, nil, nil, nil, false
`,
		new: `	c.Event.Notes = e.Notes
`,
		by: "pipeline/pipetest: TestNothingOfWhoWasErasedIsInState"},
	{promise: "B8", what: "what waits for the CRM is written although the person was erased", file: eraseFile,
		old: `		w.forgetWrites(p, l.record())
	}
	contacts, err`,
		new: `	}
	contacts, err`,
		by: "pipeline/pipetest: TestNothingOfWhoWasErasedIsInState"},
	{promise: "B8", what: "a question who is who outlives the person", file: "pipeline/sync/eraserest.go",
		old: `	w.tx.Store.Delete(w.t.Key(kindAsked, id))
`,
		new: "",
		by:  "pipeline/pipetest: TestNothingOfWhoWasErasedIsInState"},
	{promise: "B8", what: "a privacy deletion of one CRM crosses to the other", file: eraseFile,
		old: `	if !alive {
		return w.erase(`,
		new: `	if alive = false; !alive {
		return w.erase(`,
		by: "pipeline/pipetest: erase_two_crms.txt"},

	{promise: "B9", what: "a record out of the scope is written to", file: scopeFile,
		old: `return !l.Deleted && !l.Out }`,
		new: `return !l.Deleted }`,
		by:  "pipeline/pipetest: scope_filters.txt"},
	{promise: "B9", what: "a record that never was in the scope is somebody", file: scopeFile,
		old: `	case verdict == mapping.Outside:
		_, err := w.tx.NextSequence("records out of scope")
		return false, err
`,
		new: `	case verdict == mapping.Outside:
		return true, nil
`,
		by: "pipeline/pipetest: scope_never_in.txt"},
	{promise: "B9", what: "do-not-call of a record out of the scope is not heard", file: scopeFile,
		old: `truth(nv) {
			e.p.DNC`,
		new: `truth(nv) && !l.Out {
			e.p.DNC`,
		by: "pipeline/pipetest: scope_filters.txt"},
	{promise: "B9", what: "a condition on a field that the CRM does not show shuts everybody out", file: "pipeline/mapping/scope.go",
		old: `			verdict = Unjudged
`,
		new: `			return Outside
`,
		by: "pipeline/pipetest: scope_never_in.txt"},

	{promise: "B9", what: "nobody is told that a field that the scope asks for is gone", file: "pipeline/sync/drift.go",
		old: `			if ds.Lacks(f.Field) && now.item(conflictDrift, f.Field) == nil {
`,
		new: `			if false {
`,
		by: "pipeline/pipetest: scope_field_gone.txt"},
	{promise: "B9", what: "who came in while a field of the scope was gone stays in", file: "pipeline/sync/describe.go",
		old: `			w.scopeBack(plain, was)
`,
		new: "",
		by:  "pipeline/pipetest: scope_field_gone.txt"},

	{promise: "B10", what: "a CRM whose record is read later has none of the person's calls", file: "pipeline/sync/publish.go",
		old: `		if err := w.holdsToo(e.p); err != nil {
			return err
		}
`,
		new: "",
		by:  "pipeline/pipetest: activity_every_crm.txt"},
	{promise: "B10", what: "only calls that are there already are logged in another CRM", file: "pipeline/sync/everycrm.go",
		old: `w.configured(l.Provider) && c.activity(l.Provider) == nil {
`,
		new: `w.configured(l.Provider) && c.activity(l.Provider) != nil && c.activity(l.Provider).ID == "" {
`,
		by: "pipeline/pipetest: activity_every_crm.txt"},
	{promise: "B11", what: "another account of a CRM is taken for the former one", file: crmAccountFile,
		old: `			orgs[i].Generation++
`,
		new: "",
		by:  "pipeline/pipetest: account_replaced.txt"},
	{promise: "B11", what: "records of an account that was replaced are written to", file: crmAccountFile,
		old: `return l.Generation != w.generation(l.Provider) }`,
		new: `return l.Generation > w.generation(l.Provider) }`,
		by:  "pipeline/pipetest: b11_another_org.txt"},

	{promise: "B23", what: "an older word takes back that a number may not be dialled", file: doNotCallFile,
		old: `	case ok && (at < old.At || at == old.At && old.DNC), !ok && !dnc:
`,
		new: `	case !ok && !dnc:
`,
		by: "pipeline/pipetest: dnc_number.txt"},
	{promise: "B23", what: "who gets a forbidden number later may be dialled at it", file: doNotCallFile,
		old: `		if ok {
			each(n, s)
		}
`,
		new: `		if ok && s.Ref == w.ref {
			each(n, s)
		}
`,
		by: "pipeline/pipetest: dnc_number.txt"},
	{promise: "B23", what: "that a number may not be dialled is told of nobody who has it", file: doNotCallFile,
		old: `	return w.tellNumber(n + "\x00")
`,
		new: `	return nil
`,
		by: "pipeline/pipetest: dnc_number.txt"},
	{promise: "B23", what: "do-not-call of a person ends where it was said twice", file: doNotCallFile,
		old: `at < ps.DNCAt {
`,
		new: `at < 0 {
`,
		by: "pipeline/pipetest: dnc_evidence.txt"},

	{promise: "B24", what: "an empty field that was never filled empties the person", file: conflictFile,
		old: `return first && v.blank() }`,
		new: `return first && !first && v.blank() }`,
		by:  "pipeline/pipetest: link_sparse.txt"},
	{promise: "B24", what: "a field that somebody emptied is taken for one that was never filled", file: conflictFile,
		old: `return first && v.blank() }`,
		new: `return v.blank() }`,
		by:  "pipeline/pipetest: empty.txt"},

	{promise: "B27", what: "a field that is gone is written all the same", file: describedFile,
		old: `		f.Gone = !d.Partial
`,
		new: `		f.Gone = false
`,
		by: "pipeline/pipetest: discovery_gone.txt"},
	{promise: "B27", what: "a field that a description left out is gone", file: "pipeline/sync/drift.go",
		old: `	case f == nil && ds.Partial:
		return "", ""
`,
		new: "",
		by:  "pipeline/pipetest: discovery_unknown.txt"},
	{promise: "B27", what: "a field that is there again, and empty, empties everybody", file: "pipeline/sync/fieldback.go",
		old: `			l.Sent, changed = append(l.Sent, sentValue{Name: of.Field, Until: w.tx.Now}), true
`,
		new: `			changed = true
`,
		by: "pipeline/pipetest: discovery_gone.txt"},
	{promise: "B27", what: "a drift that is mended stays open", file: "pipeline/sync/drift.go",
		old: `				w.publishDrift(old, &it, "resolved")
			}
		}
		if i < 0 {`,
		new: `				w.publishDrift(old, &it, "open")
			}
		}
		if i < 0 {`,
		by: "pipeline/pipetest: discovery_gone.txt"},

	{promise: "B33", what: "a company's new name does not reach its people", file: tableFile,
		old: `	if renamed && t.Entity == schemas.EntityAccount {
`,
		new: `	if renamed && t.Entity == schemas.EntityOpportunity {
`,
		by: "pipeline/pipetest: company_renamed.txt"},
	{promise: "B33", what: "an older word of a company replaces a newer one", file: tableFile,
		old: `	if !notBefore(at, old.At) {
		return
	}
	old.At`,
		new: `	old.At`,
		by:  "pipeline/pipetest: company_table.txt"},
	{promise: "B33", what: "an older word brings a deleted company back", file: tableFile,
		old: `		if at <= r.At && !how.present {
`,
		new: `		if false {
`,
		by: "pipeline/pipetest: company_table.txt"},
}
