package mapping

import (
	"sort"
	"strings"

	"github.com/crmstream/crmstream/schemas"
)

// picklist maps between the values of two lists.
type picklist struct {
	pairs []schemas.PicklistPair
	multi bool // several values with semicolons between them (B31)
}

func (t picklist) forward(_ *Env, v string) (string, error) { return t.each(v, t.toDialer) }
func (t picklist) inverse(_ *Env, v string) (string, error) { return t.each(v, t.toCRM) }

func (t picklist) each(v string, one func(string) (string, bool)) (string, error) {
	if !t.multi {
		if out, ok := one(v); ok {
			return out, nil
		}
		return "", invalid("it is not in the picklist")
	}
	var out []string
	for _, p := range strings.Split(v, ";") {
		if strings.TrimSpace(p) == "" {
			continue
		}
		x, ok := one(p)
		if !ok {
			return "", invalid("one of its values is not in the picklist")
		}
		out = append(out, x)
	}
	return joinSet(out), nil
}

func (t picklist) toDialer(v string) (string, bool) {
	v = strings.TrimSpace(v)
	for _, p := range t.pairs {
		if p.CRM == v {
			return p.Dialer, true
		}
	}
	for _, p := range t.pairs {
		if strings.EqualFold(p.CRM, v) {
			return p.Dialer, true
		}
	}
	return "", false
}

func (t picklist) toCRM(v string) (string, bool) {
	v = strings.TrimSpace(v)
	for _, p := range t.pairs {
		if p.Dialer == v {
			return p.CRM, true
		}
	}
	for _, p := range t.pairs {
		if strings.EqualFold(p.Dialer, v) {
			return p.CRM, true
		}
	}
	return "", false
}

// loop returns a value of the CRM that would wander: what it becomes in the dialer goes
// back as a value that becomes yet another one. "" if there is none.
func (t picklist) loop() string {
	for _, p := range t.pairs {
		there, _ := t.toDialer(p.CRM)
		back, ok := t.toCRM(there)
		if !ok {
			continue
		}
		if again, _ := t.toDialer(back); again != there {
			return p.CRM
		}
	}
	return ""
}

// joinSet writes values sorted, each once, with semicolons between them.
func joinSet(vs []string) string {
	sort.Strings(vs)
	out := vs[:0]
	for i, v := range vs {
		if i == 0 || v != vs[i-1] {
			out = append(out, v)
		}
	}
	return strings.Join(out, ";")
}

// each reports whether something is so of each of several values with semicolons between
// them (B31).
func each(v string, is func(string) bool) bool {
	for _, p := range strings.Split(v, ";") {
		if p = strings.TrimSpace(p); p != "" && !is(p) {
			return false
		}
	}
	return true
}

// asSet is a multi-select value in one spelling.
func asSet(v string) string {
	var out []string
	for _, p := range strings.Split(v, ";") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return joinSet(out)
}
