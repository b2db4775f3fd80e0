package mapping

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong in a configuration.
type Problem struct {
	// List and Index name the entry: "mappings" 3; Index is -1 for a setting of the whole.
	List  string
	Index int
	// Part is the setting of the entry, by its name in the record: "transform". "" = the entry.
	Part string
	What string
	Mend string // what to write instead; "" if What says it
	// Warning is for what works but is probably not meant.
	Warning bool
}

// String is what is wrong, and how to mend it.
func (p Problem) String() string {
	s := p.What
	if p.Mend != "" {
		s += " → " + p.Mend
	}
	return s
}

// Errors returns the problems that are no warnings.
func Errors(ps []Problem) []Problem {
	var out []Problem
	for _, p := range ps {
		if !p.Warning {
			out = append(out, p)
		}
	}
	return out
}

func didYouMean(got string, known []string) string {
	if n := near(got, known); n != "" {
		return "did you mean " + n + "?"
	}
	return "known: " + strings.Join(known, ", ")
}

// near returns the known name that got was probably meant to be, or "".
func near(got string, known []string) string {
	best, least := "", 1+max(1, min(3, len(got)/2))
	if len(got) > 100 {
		return ""
	}
	for _, k := range known {
		if d := distance(strings.ToLower(got), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the number of insertions, deletions, substitutions and swaps of
// neighbours that turn a into b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

func quote(s string) string { return fmt.Sprintf("%q", s) }
