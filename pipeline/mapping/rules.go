package mapping

import (
	"slices"
	"strconv"

	"github.com/crmstream/crmstream/pipeline/near"
	"github.com/crmstream/crmstream/schemas"
)

// Names that a configuration may use.
var (
	Strategies      = []string{schemas.CRMWins, schemas.DialerWins, schemas.FieldMerge, schemas.LastWriteWins, schemas.Manual}
	DedupeSteps     = []string{"composite", "crm_id", "dialer_link", "email", "fuzzy_name_company", "phone"}
	DedupeActions   = []string{"link", "off", "suggest"}
	FilterOps       = []string{"eq", "in", "ne", "not_in", "set", "unset"}
	EventTargets    = []string{"campaign_member", "custom_event", "event", "field", "off", "record", "task", "timeline"}
	NotesLayouts    = []string{"plain", "structured"}
	RecordingLinks  = []string{"play", "signed"}
	CallDirections  = []string{schemas.Inbound, schemas.Outbound}
	fuzzyThresholds = [2]float64{0, 1}
)

func (k *compiler) rule(list string, i int, part, mend, what string) {
	k.ps = append(k.ps, Problem{List: list, Index: i, Part: part, What: what, Mend: mend})
}

// named is oneOf for a word that has no default.
func (k *compiler) named(list string, i int, part, what, got string, known []string) {
	if got == "" {
		k.rule(list, i, part, near.DidYouMean("", known), "no "+what+" is named")
	}
	k.oneOf(list, i, part, what, got, known)
}

// oneOf says where a word is none of those that are known; "" is the default.
func (k *compiler) oneOf(list string, i int, part, what, got string, known []string) {
	if got != "" && !slices.Contains(known, got) {
		k.rule(list, i, part, near.DidYouMean(got, known), "unknown "+what+" "+quote(got))
	}
}

func (k *compiler) crm(list string, i int, name string) bool {
	if k.profile(name) != nil {
		return true
	}
	var names []string
	for _, p := range k.profiles {
		names = append(names, p.Provider)
	}
	k.rule(list, i, "provider", near.DidYouMean(name, names), "unknown CRM "+quote(name))
	return false
}

// rules looks at everything but the mapping.
func (k *compiler) rules() {
	cfg := k.cfg
	if cfg.Locale != "" && !KnownLocale(cfg.Locale) {
		k.rule("locale", -1, "", "language and country, such as en-GB or de-DE", "locale is "+quote(cfg.Locale))
	}
	if cfg.Currency != "" && !KnownCurrency(cfg.Currency) {
		k.rule("currency", -1, "", "three letters of ISO 4217, such as USD", "currency is "+quote(cfg.Currency))
	}
	k.oneOf("conflict_default", -1, "", "conflict strategy", cfg.ConflictDefault, Strategies)
	for i, f := range cfg.ConflictFields {
		v := ""
		if f.Value != nil {
			v = *f.Value
		}
		k.oneOf("conflict_fields", i, "", "conflict strategy", v, Strategies)
	}
	if cfg.PrimaryCRM != "" && !slices.ContainsFunc(cfg.Accounts, func(a schemas.Account) bool { return a.Provider == cfg.PrimaryCRM }) {
		k.rule("primary_crm", -1, "", "one of those under crm:", "the tenant has no CRM "+quote(cfg.PrimaryCRM))
	}
	for i, r := range cfg.Dedupe {
		k.named("dedupe", i, "strategy", "dedupe strategy", r.Strategy, DedupeSteps)
		k.oneOf("dedupe", i, "action", "dedupe action", r.Action, DedupeActions)
		if r.Threshold < fuzzyThresholds[0] || r.Threshold > fuzzyThresholds[1] || r.Threshold != r.Threshold {
			k.rule("dedupe", i, "threshold", "a number from 0 to 1", "the threshold of "+r.Strategy+" is "+strconv.FormatFloat(r.Threshold, 'g', -1, 64))
		}
		if r.Threshold != 0 && r.Strategy != "fuzzy_name_company" {
			k.rule("dedupe", i, "threshold", "leave it out", r.Strategy+" takes no threshold")
		}
		switch hint := (Problem{List: "dedupe", Index: i, Part: "action", Warning: true}); {
		case r.Strategy == "fuzzy_name_company" && r.Action == "link" && r.Threshold == 0: // B2
			hint.What, hint.Mend = "alike names link only by a threshold of your own: without one they suggest", "fuzzy_name_company: {action: link, threshold: 0.95}"
			k.ps = append(k.ps, hint)
		case (r.Strategy == "crm_id" || r.Strategy == "dialer_link") && r.Action != "" && r.Action != "link":
			hint.What, hint.Mend = r.Strategy+" always links, and before all else", "leave the step out"
			k.ps = append(k.ps, hint)
		}
		if slices.ContainsFunc(cfg.Dedupe[:i], func(x schemas.DedupeRule) bool { return x.Strategy == r.Strategy }) {
			k.rule("dedupe", i, "strategy", "once", r.Strategy+" stands twice")
		}
	}
	for i, d := range cfg.Dispositions {
		k.crm("dispositions", i, d.Provider)
		if (d.Stage == "") != (d.StageObject == "") {
			k.rule("dispositions", i, "stage", "stage: OBJECT.STAGE, or never", "the stage of "+quote(d.Label)+" is not whole")
		} else if d.Stage != "" {
			k.deals("dispositions", i, "stage", d.Provider, d.StageObject)
		}
	}
	k.oneOf("calls", -1, "notes", "notes layout", cfg.Calls.NotesLayout, NotesLayouts)
	k.oneOf("calls", -1, "recording", "recording link", cfg.Calls.Recording, RecordingLinks)
	for _, d := range cfg.Calls.SkipDirections {
		k.oneOf("calls", -1, "skip_directions", "direction of calls", d, CallDirections)
	}
	k.scopes()
	k.events()
	for i, s := range cfg.Stages {
		if k.crm("stages", i, s.Provider) && s.Object != "" {
			k.deals("stages", i, "object", s.Provider, s.Object)
		}
		if s.To == "" {
			k.rule("stages", i, "to", "to: STAGE", "a stage rule without a stage")
		}
		if len(s.When) == 0 {
			k.rule("stages", i, "when", "when: {disposition: Meeting Booked}", "a stage rule that would move every deal")
		}
	}
}

// deals looks whether the records of a kind have stages in a CRM: of others a rule would
// wait for ever.
func (k *compiler) deals(list string, i int, part, provider, object string) {
	p := k.profile(provider)
	switch {
	case p == nil || p.Deal.Object == object:
	case p.Deal.Object == "":
		k.rule(list, i, part, "leave it out", provider+" has no deals whose stage could be moved")
	default:
		k.rule(list, i, part, p.Deal.Object, "the deals of "+provider+" are "+p.Deal.Object+", not "+quote(object))
	}
}

// events looks whether each CRM can have what events are to become there.
func (k *compiler) events() {
	for i, e := range k.cfg.Events {
		if !k.crm("events", i, e.Provider) {
			continue
		}
		k.named("events", i, "target", "target", e.Target, EventTargets)
		identity := slices.ContainsFunc(e.Fields, func(f schemas.Field) bool { return f.Name == "@identity" })
		switch p := k.profile(e.Provider); e.Target {
		case "campaign_member":
			if p.Member.Object == "" {
				k.rule("events", i, "target", "another target, or off", e.Provider+" has no campaigns' members")
			}
		case "task", "event", "timeline", "custom_event":
			if t, ok := p.TargetByName(e.Target); !ok {
				k.rule("events", i, "target", "another target, or off", e.Provider+" has no "+e.Target)
			} else if t.Render == nil && e.Object == "" {
				k.rule("events", i, "object", "object: which kind of event of "+e.Provider, "a "+e.Target+" of no kind")
			}
		case "record":
			if e.Object == "" || !identity {
				k.rule("events", i, "object", "object: its kind, and among fields @identity: its unique external id, by which a repeat is known", "a record that can't be told from another")
			}
		case "field":
			k.oneOf("events", i, "object", "kind of record of persons in "+e.Provider, e.Object, k.Objects(e.Provider))
			if len(e.Fields) == 0 {
				k.rule("events", i, "fields", "fields: {THE_CRM'S: the event's}", "a field that is not named")
			}
		}
	}
}

func (k *compiler) scopes() {
	for i, s := range k.cfg.Scopes {
		if k.crm("scopes", i, s.Provider) {
			known := k.Objects(s.Provider)
			for _, t := range k.tables {
				if t.Provider == s.Provider {
					known = append(known, t.Name)
				}
			}
			k.named("scopes", i, "object", "kind of record in "+s.Provider, s.Object, known)
		}
		if s.Off {
			is := func(o *Object) bool { return o.Provider == s.Provider && o.Name == s.Object }
			k.c.objects = slices.DeleteFunc(slices.Clone(k.c.objects), is)
			k.c.tables = slices.DeleteFunc(slices.Clone(k.c.tables), is)
		} else if len(s.Filters) > 0 && k.Base.object(s.Provider, s.Object) != nil {
			if o := objectIn(slices.Concat(k.c.objects, k.c.tables), s.Provider, s.Object); o != nil {
				mine := k.object(s.Provider, s.Object)
				mine.Scope = s.Filters
				for _, f := range s.Filters {
					if x := FactOf(k.facts, &Fact{Provider: s.Provider, Object: s.Object, Field: f.Field}); x != nil && x.Gone {
						mine.unseen = append(mine.unseen, f.Field)
					}
				}
			}
		}
		for _, f := range s.Filters {
			if !fieldName.MatchString(f.Field) {
				k.rule("scopes", i, "filters", "its API name: letters, digits and _", quote(f.Field)+" can't be the name of a field")
			}
			k.named("scopes", i, "filters", "operation", f.Op, FilterOps)
			want := "values"
			switch n := len(f.Values); {
			case f.Op == "eq" || f.Op == "ne":
				if n == 1 {
					continue
				}
				want = "one value"
			case f.Op == "set" || f.Op == "unset":
				if n == 0 {
					continue
				}
				want = "no value"
			case n > 0:
				continue
			}
			k.rule("scopes", i, "filters", want, f.Op+" of "+quote(f.Field)+" takes "+want+", and has "+strconv.Itoa(len(f.Values)))
		}
	}
}
