package identity

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/schemas"
)

// people is a Source of a few.
type people struct {
	ps     []*Person
	others []string
	asked  int
}

func (s *people) find(most int, is func(p *Person) bool) (found []*Person, _ error) {
	for _, p := range s.ps {
		if len(found) < most && is(p) {
			found = append(found, p)
		}
	}
	return found, nil
}

func (s *people) ByEmail(e string, most int) ([]*Person, error) {
	return s.find(most, func(p *Person) bool { return slices.Contains(p.Emails, e) })
}

func (s *people) ByPhone(n string, most int) ([]*Person, error) {
	return s.find(most, func(p *Person) bool { return slices.Contains(p.Phones, n) })
}

func (s *people) ByName(k string, most int) ([]*Person, error) {
	found, err := s.find(most, func(p *Person) bool { return slices.Contains(Keys(p), k) })
	s.asked += len(found)
	return found, err
}

func (s *people) Apart(id string) (bool, error) { return slices.Contains(s.others, id), nil }

func TestFind(t *testing.T) {
	ann := &Person{ID: "p1", Emails: []string{"ann@example.com"}, Phones: []string{"+14155550100"}, First: "Ann", Last: "Lee-Roberts", Company: "Example Bakery, Inc."}
	bo := &Person{ID: "p2", Emails: []string{"desk@example.com"}, Phones: []string{"+14155550100"}, First: "Bo", Last: "Kim", Company: "Example Bakery"}
	cy := &Person{ID: "p3", Emails: []string{"desk@example.com"}, Phones: []string{"+14155550102"}, First: "Cy", Last: "Kim", Company: "Other"}
	fuzzy := []schemas.DedupeRule{{Strategy: "email"}, {Strategy: "phone"}, {Strategy: "fuzzy_name_company"}}
	for _, tc := range []struct {
		what   string
		rules  []schemas.DedupeRule
		looks  Person
		others []string
		kind   Kind
		id     string
		by     string
	}{
		{"B1: a unique e-mail", nil, Person{Emails: []string{"ann@example.com"}}, nil, Link, "p1", Email},
		{"B1, its counter-example: two have it", nil, Person{Emails: []string{"desk@example.com"}}, nil, None, "", ""},
		{"a mailbox that people share: quite another name", nil, Person{Emails: []string{"ann@example.com"}, First: "Bob", Last: "Kim"}, nil, Suggest, "p1", Email},
		{"its counter-example: one of the names", nil, Person{Emails: []string{"ann@example.com"}, First: "Ann", Last: "Kim"}, nil, Link, "p1", Email},
		{"B2: a number where the name agrees", nil, Person{Phones: []string{"+14155550100"}, First: "bo ", Last: "KIM"}, nil, Link, "p2", Phone},
		{"B2, its counter-example: a switchboard", nil, Person{Phones: []string{"+14155550100"}, First: "Di", Last: "Kim"}, nil, None, "", ""},
		{"B2: an alike name at the same company only suggests", fuzzy, Person{First: "Anne", Last: "Lee Roberts", Company: "Example Bakery LLC"}, nil, Suggest, "p1", Fuzzy},
		{"B2: the last name first", fuzzy, Person{First: "Lee-Roberts", Last: "Ann", Company: "example bakery"}, nil, Suggest, "p1", Fuzzy},
		{"B2, its counter-example: another company", fuzzy, Person{First: "Ann", Last: "Lee-Roberts", Company: "Other"}, nil, None, "", ""},
		{"B2: without the rule nothing is suggested", nil, Person{First: "Ann", Last: "Lee-Roberts", Company: "Example Bakery"}, nil, None, "", ""},
		{"B2: it links for who named a threshold", []schemas.DedupeRule{{Strategy: Fuzzy, Action: "link", Threshold: 0.9}}, Person{First: "Anne", Last: "Lee-Roberts", Company: "Example Bakery"}, nil, Link, "p1", Fuzzy},
		{"B2, its counter-example: who named none is asked", []schemas.DedupeRule{{Strategy: Fuzzy, Action: "link"}}, Person{First: "Anne", Last: "Lee-Roberts", Company: "Example Bakery"}, nil, Suggest, "p1", Fuzzy},
		{"a threshold that is not reached", []schemas.DedupeRule{{Strategy: Fuzzy, Threshold: 0.99}}, Person{First: "Anne", Last: "Lee-Roberts", Company: "Example Bakery"}, nil, None, "", ""},
		{"letters that only look alike", fuzzy, Person{First: "Аnn", Last: "Lee-Roberts", Company: "Example Bakery"}, nil, None, "", ""},
		{"all three together, where the e-mail alone is two people's", []schemas.DedupeRule{{Strategy: "composite"}}, Person{Emails: []string{"desk@example.com"}, Phones: []string{"+14155550102"}, Company: "OTHER Ltd."}, nil, Link, "p3", Composite},
		{"its counter-example: another number", []schemas.DedupeRule{{Strategy: "composite"}}, Person{Emails: []string{"desk@example.com"}, Phones: []string{"+14155550109"}, Company: "Other"}, nil, None, "", ""},
		{"a tenant's order: the suggestion of an earlier rule gives way to a link", []schemas.DedupeRule{{Strategy: Fuzzy}, {Strategy: "phone"}}, Person{Phones: []string{"+14155550100"}, First: "Bo", Last: "Kim", Company: "Example Bakery"}, nil, Link, "p2", Phone},
		{"an action of the tenant: somebody is asked", []schemas.DedupeRule{{Strategy: "email", Action: "suggest"}}, Person{Emails: []string{"ann@example.com"}}, nil, Suggest, "p1", Email},
		{"off", []schemas.DedupeRule{{Strategy: "email", Action: "off"}}, Person{Emails: []string{"ann@example.com"}}, nil, None, "", ""},
		{"told apart: not by e-mail", nil, Person{Emails: []string{"ann@example.com"}}, []string{"p1"}, None, "", ""},
		{"told apart: not by number", nil, Person{Phones: []string{"+14155550100"}, First: "Bo", Last: "Kim"}, []string{"p2"}, None, "", ""},
		{"told apart: not by name", fuzzy, Person{First: "Anne", Last: "Lee-Roberts", Company: "Example Bakery"}, []string{"p1"}, None, "", ""},
		{"told apart from one of two: the e-mail is the other's", nil, Person{Emails: []string{"desk@example.com"}}, []string{"p2"}, Link, "p3", Email},
	} {
		t.Run(tc.what, func(t *testing.T) {
			out, err := Find(Rules(tc.rules), &tc.looks, &people{ps: []*Person{ann, bo, cy}, others: tc.others})
			if err != nil || out.Kind != tc.kind || out.ID != tc.id || out.Strategy != tc.by || (out.Reason == "") != (tc.kind == None) {
				t.Errorf("%+v, %v; want %v %s by %s", out, err, tc.kind, tc.id, tc.by)
			}
		})
	}
}

// However many work there, only so many are compared.
func TestCandidatesAreBounded(t *testing.T) {
	src := &people{}
	for i := range 10_000 {
		src.ps = append(src.ps, &Person{ID: "p" + strings.Repeat("x", i%7), First: "Ann", Last: "Lee", Company: "Big"})
	}
	if _, err := Find(Rules([]schemas.DedupeRule{{Strategy: Fuzzy}}), &Person{First: "Anna", Last: "Leeds", Company: "Big"}, src); err != nil || src.asked > Candidates {
		t.Errorf("%d were compared, %v", src.asked, err)
	}
}

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"  Ann   LEE ": "ann lee", "O’Brien": "obrien", "O'Brien": "obrien", "Jose\u0301": "josé", "Straße": "strasse", "Lee-Roberts": "lee roberts", "A\u200bnn": "ann",
		"\xffAnn": "ann", "": "", "…": "", "Dr. Lee": "dr lee", strings.Repeat("x", 600): "", "İ": "i\u0307", "Аnn": "аnn",
	} {
		if got := Name(in); got != want {
			t.Errorf("%.20q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"Example Bakery, Inc.": "example bakery", "Example Co. Ltd": "example", "Co": "co", "AG": "ag", "S.A.": "sa"} {
		if got := Company(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// slow is Levenshtein's distance as it is written in books.
func slow(a, b []rune) int {
	m := make([][]int, len(a)+1)
	for i := range m {
		m[i] = make([]int, len(b)+1)
		m[i][0] = i
	}
	for j := range m[0] {
		m[0][j] = j
	}
	for i := range a {
		for j := range b {
			c := 1
			if a[i] == b[j] {
				c = 0
			}
			m[i+1][j+1] = min(m[i][j]+c, m[i][j+1]+1, m[i+1][j]+1)
		}
	}
	return m[len(a)][len(b)]
}

func TestDistance(t *testing.T) {
	word := rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]rune("abé")), 0, 12), func(rs []rune) string { return string(rs) })
	rapid.Check(t, func(t *rapid.T) {
		a, b := []rune(word.Draw(t, "a")), []rune(word.Draw(t, "b"))
		most := rapid.IntRange(-1, 14).Draw(t, "most")
		want := slow(a, b)
		d, ok := distance(a, b, most)
		if ok != (want <= most) || ok && d != want {
			t.Fatalf("%q %q at most %d: %d %v, it is %d", string(a), string(b), most, d, ok, want)
		}
	})
}

// Alike is the same both ways, and a higher threshold finds no more.
func TestAlike(t *testing.T) {
	name := rapid.SampledFrom([]string{"Ann", "Anna", "anne", "Lee", "Lee-Roberts", "Leeroberts", "Li", "José", "Jose", "Александра", "Aлександра", "", "O'Brien-Smithers", "OBrien Smithers"})
	company := rapid.SampledFrom([]string{"Example", "example, Inc.", "EXAMPLE Ltd.", ""})
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		a := &Person{First: name.Draw(t, "first"), Last: name.Draw(t, "last"), Company: company.Draw(t, "company")}
		b := &Person{First: name.Draw(t, "first"), Last: name.Draw(t, "last"), Company: company.Draw(t, "company")}
		low := rapid.Float64Range(0, 0.9).Draw(t, "low")
		high := rapid.Float64Range(low, 1).Draw(t, "high")
		s, ok := Alike(a, b, low)
		s2, ok2 := Alike(b, a, low)
		if s != s2 || ok != ok2 {
			t.Fatalf("%v %v: %v %v, the other way %v %v", a, b, s, ok, s2, ok2)
		}
		if s3, ok3 := Alike(a, b, high); ok3 && (!ok || s3 != s) || ok && s >= high && !ok3 {
			t.Fatalf("%v %v: %v %v at %v, %v %v at %v", a, b, s, ok, low, s3, ok3, high)
		}
		if ok && s < 1 {
			found++
		}
	})
	if found == 0 {
		t.Error("nobody was alike")
	}
}

// Whatever a name is made of: its form is stable, valid and no longer than it may be, and
// it is like itself.
func FuzzName(f *testing.F) {
	for _, s := range []string{"Ann Lee", "\xff\xfe", "Z̵̡͎a̷l̸g̷o̴", "ﷺ", "İstanbul", "ẞ", "\u202eeeL nnA", strings.Repeat("e\u0301", 200), "Аnn"} {
		f.Add(s, "Example")
	}
	f.Fuzz(func(t *testing.T, s, company string) {
		n := Name(s)
		if !utf8.ValidString(n) || Name(n) != n && len(n) <= maxName || len(s) > maxName && n != "" {
			t.Fatalf("%q: %q, again %q", s, n, Name(n))
		}
		p := &Person{First: s, Last: "Lee", Company: company}
		if score, ok := Alike(p, p, 1); (n != "" && Company(company) != "") != ok || ok && score != 1 {
			t.Fatalf("%q at %q is like itself to %v %v", s, company, score, ok)
		}
		if _, ok := Alike(p, &Person{First: company, Last: s, Company: company}, 0.5); ok && Company(company) == "" {
			t.Fatal("alike without a company")
		}
		for _, k := range Keys(p) {
			if strings.Contains(k, "\x00") || len(k) > 4*maxName {
				t.Fatalf("%q is no key", k)
			}
		}
	})
}
