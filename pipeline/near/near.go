// Package near says which known name a misspelt one was probably meant to be. Texts go
// in and out; it knows no configuration and no rule.
package near

import "strings"

// longest is the longest name that is looked at, in bytes: what is longer is no slip of
// the fingers.
const longest = 100

// DidYouMean is the advice for an unknown name: what it was probably meant to be, or
// which are known.
func DidYouMean(got string, known []string) string {
	if n := Name(got, known); n != "" {
		return "did you mean " + n + "?"
	}
	return "known here: " + strings.Join(known, ", ")
}

// Name returns the known name that got was probably meant to be, whatever its case: one
// that at most three slips turn it into, and no more than half of its letters. "": there
// is none.
func Name(got string, known []string) string {
	if len(got) > longest {
		return ""
	}
	best, least := "", 1+max(1, min(3, len(got)/2))
	for _, k := range known {
		if d := slips(strings.ToLower(got), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// slips is the number of insertions, deletions, substitutions and swaps of neighbours
// that turn a into b.
func slips(a, b string) int {
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
