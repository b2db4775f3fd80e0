package pipetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/schemas"
)

// tenantFlags are the words of a tenant's line that name no CRM.
var tenantFlags = []string{"removed", "unknown", "log_before", "create_lead", "no_lookup", "plain", "counters"}

// policy reads what a tenant's line says of calls, events, conflicts and matches.
func policy(a *args, c *schemas.TenantConfig) error {
	list := func(name string) []string {
		if v := a.text(name); v != "" {
			return strings.Split(v, ",")
		}
		return nil
	}
	p := &c.Calls
	p.SkipKinds, p.SkipDirections = list("skip_kinds"), list("skip_directions")
	p.LogBefore, p.CreateLead, p.NoLookup = a.flag("log_before"), a.flag("create_lead"), a.flag("no_lookup")
	p.Recording, p.RecordingBase = a.text("recording"), a.text("recording_base")
	c.PrimaryCRM = a.text("primary")
	for _, step := range list("dedupe") { // dedupe=email,fuzzy_name_company:link:0.9
		part := strings.SplitN(step+"::", ":", 4)
		r := schemas.DedupeRule{Strategy: part[0], Action: part[1]}
		if part[2] != "" {
			n, err := strconv.ParseFloat(part[2], 64)
			if err != nil {
				return fmt.Errorf("the threshold %q is no number", part[2])
			}
			r.Threshold = n
		}
		c.Dedupe = append(c.Dedupe, r)
	}
	if a.flag("plain") {
		p.NotesLayout = "plain"
	}
	if a.flag("counters") {
		for _, f := range []string{"call_count", "last_called_at", "ai_score"} {
			c.Mappings = append(c.Mappings, schemas.FieldMapping{Entity: schemas.EntityContact, Field: f})
		}
	}
	for i := 0; i < len(a.named); {
		f := a.named[i]
		kind, name, ok := strings.Cut(f.Name, ":")
		if !ok || f.Value == nil {
			i++
			continue
		}
		a.named = slices.Delete(a.named, i, i+1)
		to := strings.SplitN(*f.Value, "/", 3)
		switch {
		case kind == "conflict" && name == "default": // conflict:default=crm_wins conflict:title=manual
			c.ConflictDefault = *f.Value
		case kind == "conflict":
			c.ConflictFields = append(c.ConflictFields, schemas.Text(name, *f.Value))
		case kind == "rep":
			c.Owners = append(c.Owners, schemas.Text(name, *f.Value))
		case kind == "map" && len(to) == 3: // map:recording_url=sf/Task/Recording
			c.Mappings = append(c.Mappings, schemas.FieldMapping{Entity: schemas.EntityCall, Field: name, Provider: to[0], Object: to[1], CRMField: to[2], Direction: "outbound"})
		case kind == "outcome" && len(to) == 3: // outcome:Demo=hs/hs_call_disposition/guid-demo
			c.Dispositions = append(c.Dispositions, schemas.DispositionRule{Label: name, Provider: to[0], Fields: []schemas.Field{schemas.Text(to[1], to[2])}})
		case kind == "keeps" && len(to) == 1: // keeps:Demo=sf
			c.Dispositions = append(c.Dispositions, schemas.DispositionRule{Label: name, Provider: to[0], KeepsStage: true})
		case kind == "target" && len(to) >= 2: // target:session_ended=sf/record/Session?Calls=calls
			object := ""
			if len(to) == 3 {
				object = to[2]
			}
			object, fields, _ := strings.Cut(object, "?")
			t := schemas.EventTarget{Type: name, Provider: to[0], Target: to[1], Object: object}
			for _, part := range strings.FieldsFunc(fields, func(r rune) bool { return r == '&' }) {
				k, v, _ := strings.Cut(part, ":")
				t.Fields = append(t.Fields, schemas.Text(k, v))
			}
			c.Events = append(c.Events, t)
		case kind == "stage" && len(to) == 3: // stage:disposition:Demo=sf/Opportunity/Demo<Open,New
			field, value, _ := strings.Cut(name, ":")
			stage, from, _ := strings.Cut(to[2], "<")
			r := schemas.StageRule{Provider: to[0], Object: to[1], When: []schemas.Field{schemas.Text(field, value)}, To: stage}
			if from != "" {
				r.From = strings.Split(from, ",")
			}
			c.Stages = append(c.Stages, r)
		default:
			return fmt.Errorf("%s=%s is not understood", f.Name, *f.Value)
		}
	}
	return nil
}

// details reads what a call's line says beside who called whom and when.
func details(a *args, ev *schemas.CallEvent) (err error) {
	number := func(name string) *float64 {
		v, ok := a.take(name)
		if !ok {
			return nil
		}
		n, bad := strconv.ParseFloat(v, 64)
		if bad != nil {
			err = fmt.Errorf("%s=%s is no number", name, v)
		}
		return &n
	}
	list := func(name string) []string {
		if v := a.text(name); v != "" {
			return strings.Split(v, "|")
		}
		return nil
	}
	ev.Kind, ev.AgentName = a.text("kind"), a.text("name")
	ev.Summary, ev.Sentiment = a.optional("summary"), a.optional("sentiment")
	ev.KeyPoints, ev.NextSteps = list("points"), list("steps")
	ev.Score, ev.TalkRatioAgent = number("score"), number("agent_talks")
	ev.RecordingID, ev.RecordingURL = a.optional("recording"), a.optional("recording_url")
	if l, ok := a.take("deal"); ok {
		if ev.Deal, err = link(l); err != nil {
			return err
		}
	}
	return err
}
