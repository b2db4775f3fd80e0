package mapping

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/crmstream/crmstream/pipeline/near"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Plain is a tenant's mapping as it was written, whatever the CRMs say of their fields.
type Plain struct{ k *compiler }

// Plain compiles a configuration.
func (b *Base) Plain(cfg *schemas.TenantConfig) *Plain { return &Plain{b.compile(cfg, nil)} }

// Mapped are the objects of a CRM by a name.
func (p *Plain) Mapped(provider, name string) []*Object { return p.k.c.Mapped(provider, name) }

// Lines are those that look at a field of a kind of record.
func (p *Plain) Lines(provider, object, field string) (ls []*Line) {
	for _, o := range p.Mapped(provider, object) {
		for _, l := range o.Lines {
			if l.CRM == field {
				ls = append(ls, l)
			}
		}
	}
	return ls
}

// Of is the entry of the configuration that a line is of; nil = it is a default.
func (p *Plain) Of(l *Line) *schemas.FieldMapping {
	if i := p.k.mappingOf(l); i >= 0 {
		return &p.k.cfg.Mappings[i]
	}
	return nil
}

// Signature is another one once the entry of a line was changed; "" for a default.
func (p *Plain) Signature(l *Line) string {
	m := p.Of(l)
	if m == nil {
		return ""
	}
	b, err := json.Marshal(m)
	if err != nil {
		return "" // it has numbers that are none: no rule takes those
	}
	sum := sha256.Sum256(bytes.ReplaceAll(b, []byte("[]"), []byte("null"))) // a list that was read from state is empty, not absent
	return hex.EncodeToString(sum[:8])
}

// Proposal is a line that a field of a CRM may be mapped by.
type Proposal struct {
	Field string // of the dialer
	Line  string // for the tenant's document, under mapping: contact:
	// Why the field resembles one of the dialer's; "" = it does not, and Field is a new one.
	Why string
}

// alikes are other names of the dialer's fields, by letters and digits alone.
var alikes = []struct {
	field string
	names []string
}{
	{"ai_score", []string{"aicallscore", "callscore", "leadscore", "score"}},
	{"call_count", []string{"calls", "callscount", "numberofcalls", "numcalls", "totalcalls"}},
	{"company", []string{"companyname", "account", "accountname", "organization"}},
	{"do_not_call", []string{"dnc", "nocall", "nocalls"}},
	{"email", []string{"emailaddress", "mail", "workemail"}},
	{"first_name", []string{"givenname", "forename"}},
	{"last_called_at", []string{"lastcall", "lastcalldate", "lastcalled", "lastcalledon", "lastcalltime"}},
	{"last_name", []string{"familyname", "surname"}},
	{"lead_status", []string{"status"}},
	{"mobile_phone", []string{"cell", "cellphone", "mobile", "mobilenumber"}},
	{"phone", []string{"officephone", "phonenumber", "telephone", "workphone"}},
	{"title", []string{"jobtitle", "position", "role"}},
}

// kindsOf are the kinds that a field of the dialer may be held in; none = any.
var kindsOf = []struct {
	field string
	kinds []string
}{
	{"ai_score", []string{schemas.FieldNumber}},
	{"call_count", []string{schemas.FieldNumber}},
	{"do_not_call", []string{schemas.FieldBoolean}},
	{"last_called_at", []string{schemas.FieldDatetime}},
}

func suits(field, kind string) bool {
	for _, k := range kindsOf {
		if k.field == field {
			return slices.Contains(k.kinds, kind)
		}
	}
	return kind == schemas.FieldText || kind == schemas.FieldChoice
}

// wordsOf splits the name of a CRM's field: "Dialer_AI_Score__c" and "hs_ai_score" are
// ai score. What vendors and packages put before their names says nothing.
func wordsOf(name string) []string {
	name = strings.TrimSuffix(name, "__c")
	var words []string
	var w []rune
	end := func() {
		if len(w) > 0 {
			words, w = append(words, strings.ToLower(string(w))), nil
		}
	}
	rs := []rune(name)
	for i, r := range rs {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			continue
		case unicode.IsUpper(r) && i > 0 && unicode.IsLower(rs[i-1]):
			end()
		}
		w = append(w, r)
	}
	end()
	if len(words) > 1 && slices.Contains([]string{"dialer", "hs", "crm"}, words[0]) {
		words = words[1:]
	}
	return words
}

// Propose returns the line by which a field that is not mapped may be: to the field of
// the dialer whose name, or another name of it, its own name or its label is, if its kind
// fits and nothing else is mapped to it there; else to a new one. ok is false for one
// that can't be read as a value, or is of no person.
func (p *Plain) Propose(d *Described, f *schemas.DescribedField) (out Proposal, ok bool) {
	if f.Kind == schemas.FieldOther || f.Kind == "" || !fieldName.MatchString(f.Name) || objectIn(p.k.c.objects, d.Provider, d.Object) == nil {
		return out, false
	}
	byName, byLabel := wordsOf(f.Name), wordsOf(f.Label)
	for _, names := range []struct {
		what  string
		words []string
	}{{"name", byName}, {"label", byLabel}} {
		joined := strings.Join(names.words, "")
		field := p.resembling(joined)
		if field == "" || !suits(field, f.Kind) || p.taken(d, field) {
			continue
		}
		out = Proposal{Field: field, Why: "its " + names.what + " is " + quote(strings.Join(names.words, " ")) + ", and a " + f.Kind + " fits"}
		break
	}
	if out.Field == "" {
		if len(byName) == 0 {
			return out, false
		}
		out.Field = strings.Join(byName, "_")
	}
	out.Line = p.line(d, f, out.Field)
	return out, true
}

// resembling is the field of the dialer that has a name, by its letters and digits.
func (p *Plain) resembling(joined string) string {
	if joined == "" {
		return ""
	}
	known := p.k.Fields()
	for _, r := range p.k.Base.roles {
		known = append(known, r.Field)
	}
	for _, m := range p.k.cfg.Mappings {
		if m.Entity == schemas.EntityContact && m.Field != "" {
			known = append(known, m.Field)
		}
	}
	for _, k := range known {
		if strings.ReplaceAll(k, "_", "") == joined {
			return k
		}
	}
	for _, a := range alikes {
		if slices.Contains(a.names, joined) {
			return a.field
		}
	}
	return ""
}

// taken says that a field of the dialer has a line of that kind of record already.
func (p *Plain) taken(d *Described, field string) bool {
	for _, o := range p.Mapped(d.Provider, d.Object) {
		for _, l := range o.Lines {
			if l.Dialer == field {
				return true
			}
		}
	}
	return false
}

func (p *Plain) line(d *Described, f *schemas.DescribedField, field string) string {
	s := field + ": {to: " + d.Provider + "." + d.Object + "." + f.Name
	def := p.k.line(d.Provider, d.Object, field)
	switch {
	case !f.Updatable && (def == nil || def.Direction != profile.Inbound):
		s += ", direction: inbound"
	case def == nil && f.Updatable:
		s += ", direction: bidirectional"
	}
	if kind := lineKind(f.Kind); kind != "" {
		s += ", type: " + kind
	}
	return s + "}"
}

// Instead is what a line may go to whose field is not there, and was called label: a field
// of that label, else one of almost its name, to which nothing is mapped.
func (p *Plain) Instead(d *Described, l *Line, label string) string {
	mend := "show it to the integration's user, or leave the line out: " + l.Dialer + ": off"
	var names []string
	for i := range d.Fields {
		f := &d.Fields[i]
		if len(p.Lines(d.Provider, d.Object, f.Name)) > 0 || l.Outbound() && !f.Updatable {
			continue
		}
		if label != "" && f.Label == label {
			return l.Dialer + ": {to: " + d.Provider + "." + d.Object + "." + f.Name + "}, which has the same label; else " + mend
		}
		names = append(names, f.Name)
	}
	if n := near.Name(l.CRM, names); n != "" {
		return l.Dialer + ": {to: " + d.Provider + "." + d.Object + "." + n + "}, which has almost the same name; else " + mend
	}
	return mend
}
