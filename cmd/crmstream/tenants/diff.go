package tenants

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/schemas"
)

// Settings are the settings of a configuration that say something, one to a line and
// sorted: its version, its times and its document are none of them.
func Settings(c *schemas.TenantConfig) []string {
	var lines []string
	say := func(path string, v any) {
		b, err := plain(v)
		if err == nil && string(b) != "null" && string(b) != `""` && string(b) != "[]" && string(b) != "0" && string(b) != "false" {
			lines = append(lines, path+" = "+string(b))
		}
	}
	fields := func(path string, fs []schemas.Field) {
		for _, f := range fs {
			say(path+"."+f.Name, f.Value)
		}
	}
	say("timezone", c.TimeZone)
	say("country", c.Country)
	say("currency", c.Currency)
	say("locale", c.Locale)
	say("primary", c.PrimaryCRM)
	say("calls.min_seconds", c.MinCallSeconds)
	say("calls.default_owner", c.DefaultOwnerEmail)
	say("calls.skip", c.Calls.SkipKinds)
	say("calls.skip_directions", c.Calls.SkipDirections)
	say("calls.log_before", c.Calls.LogBefore)
	say("calls.create_lead", c.Calls.CreateLead)
	if c.Calls.NoLookup {
		say("calls.look_up", "no")
	}
	say("calls.notes", c.Calls.NotesLayout)
	say("calls.recording", c.Calls.Recording)
	say("calls.recording_base", c.Calls.RecordingBase)
	for _, a := range c.Accounts {
		path := "crm." + a.Provider
		say(path+".account", a.ID)
		say(path+".server", a.Server)
		say(path+".auth.flow", a.AuthFlow)
		fields(path+".auth", a.Auth)
		fields(path+".settings", a.Settings)
	}
	for i := range c.Mappings {
		line(say, fields, &c.Mappings[i])
	}
	say("conflicts.default", c.ConflictDefault)
	fields("conflicts", c.ConflictFields)
	for i, d := range c.Dedupe {
		say(fmt.Sprintf("dedupe[%d]", i), words(d.Strategy, d.Action, number(&d.Threshold)))
	}
	for _, d := range c.Dispositions {
		fields("dispositions."+d.Label+"."+d.Provider, d.Fields)
		switch stage := "dispositions." + d.Label + "." + d.Provider + ".stage"; {
		case d.KeepsStage:
			say(stage, "never")
		case d.Stage != "":
			say(stage, d.StageObject+"."+d.Stage)
		}
	}
	fields("owners", c.Owners)
	for _, s := range c.Scopes {
		say("crm."+s.Provider+".scope."+s.Object, scope(&s))
	}
	for _, e := range c.Events {
		say("events."+e.Type+"."+e.Provider, words(e.Target, e.Object, pairs(e.Fields)))
	}
	for i, s := range c.Stages {
		say(fmt.Sprintf("stages[%d]", i), words(s.Provider, s.Object, "when", pairs(s.When), "to", s.To, list(s.From)))
	}
	sort.Strings(lines)
	return lines
}

// plain is JSON that a person can read: < and > stand as they are.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// pairs are fields as one text, in braces; "" if there is none.
func pairs(fs []schemas.Field) string {
	if len(fs) == 0 {
		return ""
	}
	var ps []string
	for _, f := range fs {
		v := "null"
		if f.Value != nil {
			v = *f.Value
		}
		ps = append(ps, f.Name+": "+v)
	}
	return "{" + strings.Join(ps, ", ") + "}"
}

func list(vs []string) string {
	if len(vs) == 0 {
		return ""
	}
	return "(" + strings.Join(vs, ", ") + ")"
}

// words joins those that are not empty.
func words(ws ...string) string {
	return strings.Join(slices.DeleteFunc(ws, func(w string) bool { return w == "" }), " ")
}

func number(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'f', -1, 64)
}

func scope(s *schemas.ObjectScope) string {
	if s.Off {
		return "off"
	}
	var cs []string
	for _, f := range s.Filters {
		cs = append(cs, words(f.Field, f.Op, list(f.Values)))
	}
	return strings.Join(cs, " and ")
}

func validation(v *schemas.Validation) string {
	bounds := ""
	if v.Min != nil || v.Max != nil {
		bounds = number(v.Min) + ".." + number(v.Max)
	}
	return words(v.Type, v.Pattern, bounds, list(v.Values), v.Message)
}

func line(say func(string, any), fields func(string, []schemas.Field), m *schemas.FieldMapping) {
	path := "mapping." + m.Entity + "." + m.Field
	if m.Provider != "" {
		path += "." + m.Provider
	}
	if m.Object != "" {
		path += "." + m.Object
	}
	if m.Off {
		say(path, "off")
		return
	}
	to := m.CRMField
	if to == "" {
		to = "as the defaults"
	}
	say(path+".to", to)
	say(path+".direction", m.Direction)
	say(path+".transform", m.Transform)
	fields(path+".transform", m.Args)
	for _, p := range m.Picklist {
		say(path+".transform."+p.Dialer+":"+p.CRM, true)
	}
	say(path+".script", m.Script)
	say(path+".inverse", m.Inverse)
	say(path+".type", m.Kind)
	say(path+".required", m.Required)
	say(path+".default", m.Default)
	say(path+".clears_crm", m.ClearsCRM)
	say(path+".conflict", m.Conflict)
	say(path+".max_length", m.MaxLength)
	for i, v := range m.Validations {
		say(fmt.Sprintf("%s.validate[%d]", path, i), validation(&v))
	}
}

// Diff returns what differs, a line each: "- " is what is gone, "+ " is what is new.
// Nothing differs where it is empty.
func Diff(old, new *schemas.TenantConfig) []string {
	had, has := make(map[string]bool), make(map[string]bool)
	for _, l := range Settings(old) {
		had[l] = true
	}
	for _, l := range Settings(new) {
		has[l] = true
	}
	var out []string
	for l := range had {
		if !has[l] {
			out = append(out, "- "+l)
		}
	}
	for l := range has {
		if !had[l] {
			out = append(out, "+ "+l)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i][2:] != out[j][2:] {
			return out[i][2:] < out[j][2:]
		}
		return out[i] < out[j]
	})
	// A setting that changed is one after the other, the old value first.
	sort.SliceStable(out, func(i, j int) bool {
		a, _, _ := strings.Cut(out[i][2:], " = ")
		b, _, _ := strings.Cut(out[j][2:], " = ")
		if a != b {
			return a < b
		}
		return out[i][0] == '-' && out[j][0] == '+'
	})
	return out
}
