package mapping

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Kinds of a CRM's field.
const (
	KindText    = "text"
	KindNumber  = "number"
	KindBoolean = "boolean"
	KindMulti   = "multi" // several values with semicolons between them
)

// Kinds are the names of all kinds.
var Kinds = []string{KindBoolean, KindMulti, KindNumber, KindText}

// Line is one line of a mapping in force. It is never changed once it was compiled.
type Line struct {
	profile.Mapping
	Provider, Object string
	// Transform is its name, Kind that of the CRM's field.
	Transform, Kind string
	Required        bool
	ClearsCRM       bool
	// Default is what a new record gets where there is no value, in the CRM's form.
	Default *string
	// Conflict is the line's own strategy; "" = the tenant's.
	Conflict string
	// Formula says that the CRM computes its field: that changes without a trace in the
	// time of its record (B29).
	Formula bool

	rule   transform // nil = none
	checks []check
	script string // its expressions, for custom
	back   string
	// profiles says that its field of the CRM is one of the profile's, and goes its way.
	profiles bool
}

// Inbound says whether values go from the CRM to the dialer.
func (l *Line) Inbound() bool { return l.Direction != profile.Outbound }

// Outbound says whether values go from the dialer to the CRM.
func (l *Line) Outbound() bool { return l.Direction != profile.Inbound }

// empty says that there is no value: blanks are none, and CRMs make nothing of them.
func empty(v *string) bool { return v == nil || strings.TrimSpace(*v) == "" }

// In turns a value of the CRM into one of the dialer. Where the error is an *Invalid,
// the value is the raw one: it is kept, and the record gets a warning.
func (l *Line) In(e *Env, v *string) (*string, error) {
	if empty(v) {
		return nil, l.needed()
	}
	out := *v
	if l.rule != nil {
		if len(out) > maxValue && l.Transform != schemas.TransformCustom {
			return v, invalid("it has more than %d bytes", maxValue)
		}
		var err error
		if out, err = l.rule.forward(e, out); err != nil {
			return v, err
		}
		if out == "" {
			return nil, l.needed()
		}
	}
	if err := l.check(out); err != nil {
		return v, err
	}
	if l.Role == profile.DoNotCall { // a word that nobody understands must be seen (B23)
		if _, err := truth(out); err != nil {
			return v, err
		}
	}
	if out == *v {
		return v, nil
	}
	return &out, nil
}

// Reads reports whether a value of the CRM can be turned into one of the dialer.
func (l *Line) Reads(e *Env, v string) bool {
	if l.rule == nil {
		return true
	}
	_, err := l.rule.forward(e, v)
	return err == nil
}

// needed is the error for an empty value.
func (l *Line) needed() error {
	for i := range l.checks {
		if l.checks[i].required {
			return &Invalid{l.checks[i].message}
		}
	}
	return nil
}

func (l *Line) check(v string) error {
	for i := range l.checks {
		if c := &l.checks[i]; !c.ok(v) {
			return &Invalid{c.message}
		}
	}
	return nil
}

// Out turns a value of the dialer into one of the CRM, cut to what its field takes
// (B28). Where the error is an *Invalid, there is none.
func (l *Line) Out(e *Env, v *string) (*string, error) {
	if empty(v) {
		if l.Required {
			return nil, invalid("the CRM needs a value")
		}
		return nil, l.needed()
	}
	if err := l.check(*v); err != nil {
		return nil, err
	}
	out, err := l.out(e, v)
	if err == nil && empty(out) && l.Required {
		return nil, invalid("the CRM needs a value") // nothing is left of it
	}
	return out, err
}

// out is Out without the validations.
func (l *Line) out(e *Env, v *string) (*string, error) {
	out := *v
	if l.rule != nil && l.Transform != schemas.TransformNone {
		if len(out) > maxValue && l.Transform != schemas.TransformCustom {
			return nil, invalid("it has more than %d bytes", maxValue)
		}
		var err error
		if out, err = l.inverse(e, out); err != nil {
			return nil, err
		}
		if out == "" {
			return nil, nil
		}
	}
	switch l.Kind {
	case KindNumber:
		if _, ok := numeric(out); !ok {
			return nil, invalid("it is no number")
		}
		out = plainNumber(out)
	case KindBoolean:
		b, err := truth(out)
		if err != nil {
			return nil, err
		}
		out = b
	case KindMulti:
		if out = asSet(out); out == "" {
			return nil, nil // signs between no values
		}
	}
	if out = printable(out); out == "" {
		return nil, nil
	}
	if short := cut(out, l.MaxLength); short != out && !l.cuts() {
		return nil, invalid("it is longer than its field, which takes %d characters", l.MaxLength)
	} else {
		out = short
	}
	if out == *v {
		return v, nil
	}
	return &out, nil
}

// printable is a value without control characters: CRMs refuse them, or drop them without
// a word, and what stands there would not be what was written. Those that end a line keep
// words apart.
func printable(v string) string {
	control := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }
	if !strings.ContainsFunc(v, control) {
		return v
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case !control(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return -1
	}, v))
}

// cuts says that the beginning of a value is worth having: that of a number, a date, an
// address or a value of a list is another one.
func (l *Line) cuts() bool {
	switch l.Transform {
	case schemas.TransformDateISO, schemas.TransformDateSFDC, schemas.TransformPhone, schemas.TransformPicklist, schemas.TransformYesNo:
		return false
	}
	return l.Kind != KindNumber && l.Kind != KindBoolean && l.Kind != KindMulti && l.Role == profile.Plain
}

func (l *Line) inverse(e *Env, v string) (string, error) {
	if c, ok := l.rule.(custom); ok && l.Direction == profile.Outbound && c.back == "" {
		return c.forward(e, v) // it was written for the way that the line goes
	}
	return l.rule.inverse(e, v)
}

// cut shortens a value to so many characters, the last of which then says so.
func cut(v string, most int) string {
	if most == 0 || len(v) <= most {
		return v
	}
	r := []rune(v)
	if len(r) <= most {
		return v
	}
	return string(r[:most-1]) + "…"
}

// Alike reports whether two values in the CRM's form mean the same: what differs in
// its spelling only is no change (P7).
func (l *Line) Alike(e *Env, a, b *string) bool {
	if empty(a) || empty(b) {
		return empty(a) && empty(b)
	}
	if *a == *b {
		return true
	}
	if l.rule != nil && l.Transform != schemas.TransformPhone && l.Transform != schemas.TransformLowercase &&
		!(l.Transform == schemas.TransformCustom && l.Direction == profile.Outbound) && len(*a) <= maxValue && len(*b) <= maxValue {
		x, errX := l.rule.forward(e, *a)
		y, errY := l.rule.forward(e, *b)
		if errX == nil && errY == nil {
			return x == y || l.same(e, x, y)
		}
		return false
	}
	return l.same(e, *a, *b)
}

// Same reports whether two values in the dialer's form mean the same.
func (l *Line) Same(e *Env, a, b *string) bool {
	if empty(a) || empty(b) {
		return empty(a) && empty(b)
	}
	return *a == *b || l.same(e, *a, *b)
}

func (l *Line) same(e *Env, a, b string) bool {
	switch {
	case l.Role == profile.Phone || l.Transform == schemas.TransformPhone:
		country := e.Country
		if t, ok := l.rule.(phoneE164); ok && t.country != "" {
			country = t.country
		}
		x, y := phone.E164(a, country), phone.E164(b, country)
		return x != "" && x == y
	case l.Role == profile.Email || l.Transform == schemas.TransformLowercase:
		return Lower(strings.TrimSpace(a)) == Lower(strings.TrimSpace(b))
	case l.Kind == KindNumber:
		x, ok := numeric(a)
		y, ok2 := numeric(b)
		return ok && ok2 && x.Cmp(y) == 0
	case l.Kind == KindBoolean || l.Role == profile.DoNotCall:
		x, err := truth(a)
		y, err2 := truth(b)
		return err == nil && err2 == nil && x == y
	case l.Kind == KindMulti:
		return asSet(a) == asSet(b)
	}
	return strings.TrimSpace(a) == strings.TrimSpace(b) // CRMs take the blanks around a text away
}

// Echo reports whether the CRM's value is what the dialer's value is there: cut, or
// with less said than the dialer has. Such a value is no news of the CRM's (B28).
func (l *Line) Echo(e *Env, ours, theirs *string) bool {
	if !l.Outbound() || empty(ours) || empty(theirs) || l.rule == nil && l.MaxLength == 0 {
		return false
	}
	if c, ok := l.rule.(custom); ok && c.back == "" && l.Direction != profile.Outbound {
		return false
	}
	out, err := l.out(e, ours)
	return err == nil && !empty(out) && l.Alike(e, out, theirs)
}

// Key names a line for people: "contact.score → salesforce.Lead.Score__c".
func (l *Line) Key() string { return l.Dialer + " → " + l.Provider + "." + l.Object + "." + l.CRM }

// Object is the lines in force of one kind of record.
type Object struct {
	Provider, Name string
	Lines          []*Line
	// AccountField, Rank and Conversion are the profile's.
	AccountField string
	Rank         int
	Conversion   *profile.Conversion
	// Entity is, of a table, what it is: schemas.EntityAccount or EntityOpportunity.
	Entity string
	// Follows begins the names of the fields that a person's record shows of its company:
	// "Account."; "" = no line has one.
	Follows string
	// Scope is what a record must satisfy; nil = nothing.
	Scope []schemas.Filter
	// Scripts says that a line has one.
	Scripts bool
	// Shared says that two lines look at one field of the CRM.
	Shared bool

	lacks  []string // fields of the profile that the CRM does not have
	unseen []string // fields that Scope asks for and the CRM does not have
}

// Asks reports whether the scope has a condition on a field.
func (o *Object) Asks(field string) bool {
	return slices.ContainsFunc(o.Scope, func(f schemas.Filter) bool { return f.Field == field })
}

// Constants are what a new record gets beside the values of the dialer, by the CRM's
// names and sorted by them (B30).
func (o *Object) Constants() []schemas.Field {
	var fs []schemas.Field
	for _, l := range o.Lines {
		if l.Default != nil {
			fs = append(fs, schemas.Text(l.CRM, *l.Default))
		}
	}
	slices.SortFunc(fs, func(a, b schemas.Field) int { return strings.Compare(a.Name, b.Name) })
	return fs
}

// Columns are the fields of the CRM that inbound lines take, sorted, each once.
func (o *Object) Columns() []string {
	var cols []string
	for _, l := range o.Lines {
		if l.Inbound() {
			cols = append(cols, l.CRM)
		}
	}
	slices.Sort(cols)
	return slices.Compact(cols)
}

// Extra are the fields that lines have beside those of the profile, each with its kind
// if that is not text, sorted: "Nick__c", "Score__c:number"; ">Score__c:number" is one
// that is written only, "-Title" one of the profile's that the CRM does not have.
func (o *Object) Extra() []string {
	var extra []string
	for _, l := range o.Lines {
		if l.profiles {
			continue
		}
		name := l.CRM
		if l.Kind == KindNumber || l.Kind == KindBoolean {
			name += ":" + l.Kind
		}
		if !l.Inbound() && !begins(l.Dialer) {
			name = ">" + name
		}
		extra = append(extra, name)
	}
	for i := range o.Scope {
		f := o.Scope[i].Field
		if !slices.Contains(o.unseen, f) && !slices.ContainsFunc(o.Lines, func(l *Line) bool { return l.CRM == f && l.Inbound() }) {
			extra = append(extra, f)
		}
	}
	for _, name := range o.lacks {
		extra = append(extra, "-"+name)
	}
	slices.Sort(extra)
	return slices.Compact(extra)
}

// begins says of a field that what the CRM had before us counts: counters go on from it
// (B19), so it is read although it only goes out.
func begins(field string) bool { return field == "call_count" || field == "last_called_at" }

// seal computes what follows from the lines.
func (o *Object) seal() {
	o.Scripts, o.Shared = false, false
	for i, l := range o.Lines {
		o.Scripts = o.Scripts || l.Transform == schemas.TransformCustom
		o.Shared = o.Shared || slices.ContainsFunc(o.Lines[:i], func(x *Line) bool { return x.CRM == l.CRM })
	}
}

// DialerLine is how values of a field are compared that the dialer sends, by what the
// field means.
func DialerLine(r profile.Role) *Line {
	switch r {
	case profile.Email:
		return &emailLine
	case profile.Phone:
		return &phoneLine
	case profile.DoNotCall:
		return &truthLine
	}
	return &plainLine
}

var (
	plainLine Line
	emailLine = Line{Mapping: profile.Mapping{Role: profile.Email}}
	phoneLine = Line{Mapping: profile.Mapping{Role: profile.Phone}}
	truthLine = Line{Mapping: profile.Mapping{Role: profile.DoNotCall}}
)

// IsInvalid reports whether the value is at fault, and why.
func IsInvalid(err error) (why string, ok bool) {
	var e *Invalid
	if errors.As(err, &e) {
		return e.Why, true
	}
	return "", false
}
