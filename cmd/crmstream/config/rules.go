package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/cmd/crmstream/strictyaml"
	"github.com/crmstream/crmstream/pipeline/near"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

func quote(s string) string { return strconv.Quote(s) }
func itoa(i int) string     { return strconv.Itoa(i) }

// stageDoc is one rule that moves deals.
type stageDoc struct {
	CRM    string            `yaml:"crm"`
	Object string            `yaml:"object"`
	When   map[string]string `yaml:"when"`
	To     string            `yaml:"to"`
	From   []string          `yaml:"from"`
}

// eventDoc is a target of events with all that it may say.
type eventDoc struct {
	Target string            `yaml:"target"`
	Object string            `yaml:"object"`
	Fields map[string]string `yaml:"fields"`
}

func fieldsOf(m map[string]string) (fs []schemas.Field) {
	for _, k := range sortedKeys(m) {
		fs = append(fs, schemas.Text(k, m[k]))
	}
	return fs
}

// callFields are those that a dialer says of a call, as a strategy may name them.
var callFields = []string{"call_notes", "disposition", "duration_seconds", "key_points", "next_steps", "notes", "recording_url", "score", "sentiment", "summary", "talk_ratio_agent"}

// fuzzy is the step that never links unless the tenant says so (B2).
const fuzzy = "fuzzy_name_company"

// dedupe reads a list of steps: a name, {NAME: ACTION}, or a name with action: and
// threshold:.
func (r *reader) dedupe(steps []strictyaml.Node) (rules []schemas.DedupeRule, paths []string) {
	for _, n := range steps {
		rule := schemas.DedupeRule{Action: "link"}
		paths = append(paths, n.Path())
		if name, ok := n.Text(); ok {
			rule.Strategy = name
			if name == fuzzy {
				rule.Action = "suggest"
			}
			rules = append(rules, rule)
			continue
		}
		pairs, ok := n.Pairs()
		if !ok || len(pairs) != 1 {
			n.Wrong("email, {phone: suggest}, or {fuzzy_name_company: {action: link, threshold: 0.9}}", "a step of dedupe is one name, with what is to be done")
			rules = append(rules, rule)
			continue
		}
		rule.Strategy = pairs[0].Key
		if action, ok := pairs[0].Text(); ok {
			rule.Action = action
		} else {
			if rule.Strategy == fuzzy {
				rule.Action = "suggest"
			}
			d := struct {
				Action    string  `yaml:"action"`
				Threshold float64 `yaml:"threshold"`
			}{Action: rule.Action}
			pairs[0].Decode(&d)
			rule.Action, rule.Threshold = d.Action, d.Threshold
		}
		rules = append(rules, rule)
	}
	return rules, paths
}

// dispositions reads what each label is: by CRM, or at once where there is one CRM.
func (r *reader) dispositions(doc map[string]strictyaml.Node) (rules []schemas.DispositionRule, paths []string) {
	var all []placed[schemas.DispositionRule]
	for _, label := range sortedKeys(doc) {
		n := doc[label]
		pairs, ok := n.Pairs()
		if !ok {
			n.Wrong("{CallDisposition: Connected}", "%s is a mapping of the CRM's fields", n.Path())
			continue
		}
		byCRM := make(map[string][]strictyaml.Pair)
		for _, p := range pairs {
			if !slices.ContainsFunc(r.profiles, func(x *profile.Profile) bool { return x.Provider == p.Key }) {
				if len(r.crms) != 1 {
					p.Wrong(label+": {"+firstOf(r.crms, "CRM")+": {"+p.Key+": …}}", "say of which CRM %s is a field", p.Key)
					continue
				}
				byCRM[r.crms[0]] = append(byCRM[r.crms[0]], p)
				continue
			}
			if !r.has(p.Node, p.Key) {
				continue
			}
			inner, ok := p.Pairs()
			if !ok {
				p.Wrong("{CallDisposition: Connected}", "%s is a mapping of the CRM's fields", p.Path())
			}
			byCRM[p.Key] = append(byCRM[p.Key], inner...)
		}
		for _, crm := range sortedKeys(byCRM) {
			all = append(all, placed[schemas.DispositionRule]{disposition(crm, label, byCRM[crm]), n.Path()})
		}
	}
	slices.SortStableFunc(all, func(a, b placed[schemas.DispositionRule]) int {
		return cmp.Or(strings.Compare(a.v.Provider, b.v.Provider), strings.Compare(a.v.Label, b.v.Label))
	})
	for _, x := range all {
		rules, paths = append(rules, x.v), append(paths, x.path)
	}
	return rules, paths
}

// has looks whether the tenant has a CRM; one that is unknown altogether is said elsewhere.
func (r *reader) has(n strictyaml.Node, crm string) bool {
	if r.lacks(crm) {
		n.Wrong("one of those under crm: "+strings.Join(r.crms, ", "), "the tenant has no CRM %q", crm)
		return false
	}
	return true
}

// lacks says that a CRM is one that there is, and none of the tenant's.
func (r *reader) lacks(crm string) bool {
	known := slices.ContainsFunc(r.profiles, func(x *profile.Profile) bool { return x.Provider == crm })
	return known && !slices.Contains(r.crms, crm)
}

func firstOf(s []string, otherwise string) string {
	if len(s) > 0 {
		return s[0]
	}
	return otherwise
}

func disposition(crm, label string, pairs []strictyaml.Pair) schemas.DispositionRule {
	rule := schemas.DispositionRule{Provider: crm, Label: label}
	for _, p := range pairs {
		text, ok := p.Text()
		switch {
		case !ok:
			p.Wrong("", "%s must be a single value", p.Path())
		case p.Key == "stage" && text == "never":
			rule.KeepsStage = true
		case p.Key == "stage":
			var found bool
			if rule.StageObject, rule.Stage, found = strings.Cut(text, "."); !found {
				p.Wrong("Opportunity.Demo, or never", "the stage is OBJECT.STAGE, or never: %q", text)
				rule.StageObject = ""
			}
		default:
			rule.Fields = append(rule.Fields, schemas.Text(p.Key, text))
		}
	}
	slices.SortFunc(rule.Fields, func(a, b schemas.Field) int { return strings.Compare(a.Name, b.Name) })
	return rule
}

// events reads what each kind of event becomes in each CRM.
func (r *reader) events(doc map[string]map[string]strictyaml.Node) (targets []schemas.EventTarget, paths []string) {
	for _, typ := range sortedKeys(doc) {
		r.eventType(typ)
		for _, crm := range sortedKeys(doc[typ]) {
			n := doc[typ][crm]
			if !r.has(n, crm) {
				continue
			}
			t := schemas.EventTarget{Type: typ, Provider: crm}
			if text, ok := n.Text(); ok {
				t.Target = text
				if text == "false" {
					t.Target = "off"
				}
			} else {
				var d eventDoc
				n.Decode(&d)
				t.Target, t.Object, t.Fields = d.Target, d.Object, fieldsOf(d.Fields)
			}
			targets, paths = append(targets, t), append(paths, n.Path())
		}
	}
	return targets, paths
}

// Events that the dialer is known to send: those that have targets, and those that edit a
// call or say that nobody may call, whatever a tenant writes of them.
var (
	happenings = []string{"ai_coaching", "meeting_booked", "session_ended", "voicemail_dropped"}
	edits      = []string{"call_ended", "call_updated", "disposition_changed", "dnc_changed", "score_ready"}
)

// eventType warns of a type of events that nothing will be done about. A dialer may have
// further ones, so that another name is no mistake, unless it is almost one of these.
func (r *reader) eventType(typ string) {
	if slices.Contains(edits, typ) {
		r.warnings = append(r.warnings, r.p.Mistake("events."+typ, typ+" goes to the call's activity or to the person: a target of it has no effect", "leave it out"))
		return
	}
	if n := near.Name(typ, happenings); n != "" && n != typ {
		r.warnings = append(r.warnings, r.p.Mistake("events."+typ, "the dialer is not known to send events of the type "+quote(typ), "did you mean "+n+"?"))
	}
}

func (r *reader) stages(docs []stageDoc) (rules []schemas.StageRule, paths []string) {
	for i, d := range docs {
		path := "stages[" + itoa(i) + "]"
		if d.CRM == "" && len(r.crms) == 1 {
			d.CRM = r.crms[0]
		}
		if r.lacks(d.CRM) {
			r.bad(path+".crm", "one of those under crm: "+strings.Join(r.crms, ", "), "the tenant has no CRM "+quote(d.CRM))
		}
		if d.Object == "" {
			r.bad(path, "object: Opportunity", "a stage rule without an object")
		}
		slices.Sort(d.From)
		rules = append(rules, schemas.StageRule{Provider: d.CRM, Object: d.Object, When: fieldsOf(d.When), To: d.To, From: d.From})
		paths = append(paths, path)
	}
	return rules, paths
}

// scopes reads the scope of one CRM's objects: off, conditions, or where: conditions.
func (r *reader) scopes(crm string, doc map[string]strictyaml.Node) (scopes []schemas.ObjectScope, paths []string) {
	for _, object := range sortedKeys(doc) {
		n := doc[object]
		s := schemas.ObjectScope{Provider: crm, Object: object}
		text, ok := n.Text()
		at := n
		if !ok {
			var d struct {
				Where strictyaml.Node `yaml:"where"`
			}
			n.Decode(&d)
			at = d.Where
			text, ok = at.Text()
			if !ok {
				n.Wrong(`{where: "Status IN ('New', 'Working')"}, or off`, "the scope of %s has no conditions", object)
				continue
			}
		}
		switch text {
		case "off", "false":
			s.Off = true
		default:
			var err error
			if s.Filters, err = where(text); err != nil {
				at.Wrong(`FIELD IN ('New', 'Working') AND OTHER IS SET`, "the scope of %s can't be read: %v", object, err)
			}
		}
		scopes, paths = append(scopes, s), append(paths, n.Path())
	}
	return scopes, paths
}
