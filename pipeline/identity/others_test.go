package identity

import "testing"

func TestOthers(t *testing.T) {
	for _, tc := range []struct {
		what                  string
		first1, last1, f2, l2 string
		others                bool
	}{
		{"quite others", "Ann", "Lee", "Bob", "Kim", true},
		{"who married", "Ann", "Lee", "Ann", "Kim", false},
		{"a family", "Ann", "Lee", "Bob", "Lee", false},
		{"a short name", "Elizabeth", "Smith", "Liz", "Jones", false},
		{"an initial", "J.", "Smith", "John", "Smyth", false},
		{"spelled otherwise, both", "Jon", "Smyth", "John", "Smith", false},
		{"the last name first", "Lee", "Ann", "Ann", "Lee", false},
		{"of two names one", "Maria Jose", "Lopez", "Maria", "Diaz", false},
		{"another script says nothing", "Ann", "Lee", "Анна", "Ли", false},
		{"a name is missing", "Ann", "", "Bob", "Kim", false},
		{"a short one is no part of a longer by chance", "Al", "Ito", "Natalia", "Kim", true},
	} {
		a, b := &Person{First: tc.first1, Last: tc.last1}, &Person{First: tc.f2, Last: tc.l2}
		if Others(a, b) != tc.others || Others(b, a) != tc.others {
			t.Errorf("%s: %v and %v: %v", tc.what, a, b, !tc.others)
		}
	}
}
