package identity

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/crmstream/crmstream/schemas"
)

// Strategies that look at what a record says. Two more, crm_id and dialer_link, are ids:
// they come first whatever a tenant's order, and can't be switched off.
const (
	Email     = "email"
	Phone     = "phone"
	Composite = "composite"
	Fuzzy     = "fuzzy_name_company"
)

// Threshold of Fuzzy where a tenant names none.
const Threshold = 0.9

// Candidates bounds the persons that are compared by name for one record, and few those
// with one e-mail or number.
const (
	Candidates = 50
	few        = 10
)

// Person is what is compared: e-mails in small letters, numbers in E.164, names as they
// are written.
type Person struct {
	ID                   string // "" for a record whose person is sought
	Emails, Phones       []string
	First, Last, Company string
}

// Rule is one step of the search.
type Rule struct {
	Strategy  string
	Link      bool // else somebody is asked
	Threshold float64
}

// Rules are a tenant's steps in their order; none is the default: e-mail, then number.
func Rules(cfg []schemas.DedupeRule) []Rule {
	if len(cfg) == 0 {
		return []Rule{{Strategy: Email, Link: true}, {Strategy: Phone, Link: true}}
	}
	var rules []Rule
	for _, c := range cfg {
		r := Rule{Strategy: c.Strategy, Link: c.Action == "link" || c.Action == "", Threshold: c.Threshold}
		switch c.Strategy {
		case Fuzzy:
			// It links only for who named both the action and how alike (B2).
			r.Link = c.Action == "link" && c.Threshold > 0
			if r.Threshold == 0 {
				r.Threshold = Threshold
			}
		case Email, Phone, Composite:
		default:
			continue
		}
		if c.Action != "off" {
			rules = append(rules, r)
		}
	}
	return rules
}

// Uses reports whether a strategy is among a tenant's steps.
func Uses(cfg []schemas.DedupeRule, strategy string) bool {
	if len(cfg) == 0 {
		return strategy == Email || strategy == Phone
	}
	return slices.ContainsFunc(cfg, func(c schemas.DedupeRule) bool { return c.Strategy == strategy && c.Action != "off" })
}

// Source finds known persons, at most so many, in a fixed order.
type Source interface {
	ByEmail(email string, most int) ([]*Person, error)
	ByPhone(number string, most int) ([]*Person, error)
	ByName(key string, most int) ([]*Person, error)
	// Apart says that somebody decided that the record is not this person.
	Apart(id string) (bool, error)
}

// Kind of an Outcome.
type Kind int

// Kinds.
const (
	None Kind = iota
	Suggest
	Link
)

// Outcome is what was found.
type Outcome struct {
	Kind     Kind
	ID       string // of the person
	Strategy string
	Reason   string // for people
}

// Find looks for the person of a record. The first rule that links decides; else the
// first that suggests.
func Find(rules []Rule, looks *Person, src Source) (Outcome, error) {
	var suggested Outcome
	for i := range rules {
		r := &rules[i]
		out, err := r.find(looks, src)
		switch {
		case err != nil:
			return Outcome{}, err
		case out.Kind == None:
			continue
		case r.Link && out.Kind == Link:
			return out, nil
		}
		if suggested.Kind == None {
			out.Kind = Suggest
			suggested = out
		}
	}
	return suggested, nil
}

func (r *Rule) find(looks *Person, src Source) (Outcome, error) {
	switch r.Strategy {
	case Email:
		return byEmail(looks, src)
	case Phone:
		return byPhone(looks, src)
	case Composite:
		return byAll(looks, src)
	}
	return byName(looks, src, r.Threshold)
}

// apart drops those of whom somebody said that they are others.
func apart(ps []*Person, src Source) ([]*Person, error) {
	kept := ps[:0:0]
	for _, p := range ps {
		other, err := src.Apart(p.ID)
		if err != nil {
			return nil, err
		}
		if !other {
			kept = append(kept, p)
		}
	}
	return kept, nil
}

func byEmail(looks *Person, src Source) (Outcome, error) {
	for _, e := range looks.Emails {
		found, err := src.ByEmail(e, few)
		if err != nil {
			return Outcome{}, err
		}
		ps, err := apart(found, src)
		if err != nil {
			return Outcome{}, err
		}
		if len(ps) == 1 && len(found) < few {
			if Others(looks, ps[0]) {
				return Outcome{Suggest, ps[0].ID, Email, "the same e-mail, and nobody else has it, but quite another name"}, nil
			}
			return Outcome{Link, ps[0].ID, Email, "the same e-mail, and nobody else has it"}, nil
		}
	}
	return Outcome{}, nil
}

func byPhone(looks *Person, src Source) (Outcome, error) {
	for _, n := range looks.Phones {
		ps, err := src.ByPhone(n, few)
		if err != nil {
			return Outcome{}, err
		}
		if ps, err = apart(ps, src); err != nil {
			return Outcome{}, err
		}
		for _, p := range ps {
			if SameName(looks, p) {
				return Outcome{Link, p.ID, Phone, "the same number and name"}, nil
			}
		}
	}
	return Outcome{}, nil
}

func byAll(looks *Person, src Source) (Outcome, error) {
	company := Company(looks.Company)
	if company == "" || len(looks.Phones) == 0 {
		return Outcome{}, nil
	}
	var all []*Person
	for _, e := range looks.Emails {
		found, err := src.ByEmail(e, few)
		if err != nil {
			return Outcome{}, err
		}
		for _, p := range found {
			if Company(p.Company) == company && slices.ContainsFunc(p.Phones, func(n string) bool { return slices.Contains(looks.Phones, n) }) &&
				!slices.ContainsFunc(all, func(x *Person) bool { return x.ID == p.ID }) {
				all = append(all, p)
			}
		}
	}
	all, err := apart(all, src)
	if err != nil || len(all) == 0 {
		return Outcome{}, err
	}
	out := Outcome{Link, all[0].ID, Composite, "the same e-mail, number and company"}
	if len(all) > 1 {
		out.Kind, out.Reason = Suggest, out.Reason+", as another has"
	}
	return out, nil
}

func byName(looks *Person, src Source, threshold float64) (Outcome, error) {
	var best *Person
	high, left := 0.0, Candidates
	for _, k := range Keys(looks) {
		found, err := src.ByName(k, left)
		if err != nil {
			return Outcome{}, err
		}
		left -= len(found)
		ps, err := apart(found, src)
		if err != nil {
			return Outcome{}, err
		}
		for _, p := range ps {
			if score, ok := Alike(looks, p, threshold); ok && (best == nil || score > high || score == high && p.ID < best.ID) {
				best, high = p, score
			}
		}
		if left <= 0 {
			break
		}
	}
	if best == nil {
		return Outcome{}, nil
	}
	return Outcome{Link, best.ID, Fuzzy, "the same company, and names alike to " + strconv.FormatFloat(high, 'f', 2, 64)}, nil
}

// SameName says that both have a first and a last name, and the same.
func SameName(a, b *Person) bool {
	first, last := Name(a.First), Name(a.Last)
	return first != "" && last != "" && first == Name(b.First) && last == Name(b.Last)
}

// Keys are what a person is found by where names are alike: the company with the initial
// of either name, since some write the last one first. None where one of the three is
// missing.
func Keys(p *Person) []string {
	company := Company(p.Company)
	first, last := Name(p.First), Name(p.Last)
	if company == "" || first == "" || last == "" {
		return nil
	}
	a, b := initial(last), initial(first)
	if a == b {
		return []string{company + "/" + a}
	}
	return []string{company + "/" + a, company + "/" + b}
}

func initial(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

// Alike is how alike two persons are by company and name, from 0 to 1; ok is false where
// that is less than threshold. It is the same whoever comes first.
func Alike(a, b *Person, threshold float64) (score float64, ok bool) {
	if c := Company(a.Company); c == "" || c != Company(b.Company) {
		return 0, false
	}
	f1, l1, f2, l2 := Name(a.First), Name(a.Last), Name(b.First), Name(b.Last)
	if f1 == "" || l1 == "" || f2 == "" || l2 == "" {
		return 0, false
	}
	score, ok = alike(f1+" "+l1, f2+" "+l2, threshold)
	for _, turned := range [2][2]string{{f1 + " " + l1, l2 + " " + f2}, {l1 + " " + f1, f2 + " " + l2}} {
		if s, good := alike(turned[0], turned[1], threshold); good && (!ok || s > score) {
			score, ok = s, true
		}
	}
	return score, ok
}
