package strictyaml

import (
	"fmt"
	"sort"
	"strings"
)

// Mistake is one thing that is wrong in a document.
type Mistake struct {
	File         string
	Line, Column int // from 1; 0 where the thing is missing altogether
	What         string
	Mend         string // what to write instead; "" if What says it
}

func (m Mistake) String() string {
	place := m.File
	if m.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", m.File, m.Line, m.Column)
	}
	s := fmt.Sprintf("%-24s %s", place, m.What)
	if m.Mend != "" {
		s += "\n" + strings.Repeat(" ", 25) + "→ " + m.Mend
	}
	return s
}

// Mistakes is the error of a document: all that is wrong with it, by line.
type Mistakes []Mistake

// Error implements error.
func (ms Mistakes) Error() string {
	sorted := append(Mistakes(nil), ms...)
	sort.SliceStable(sorted, func(i, j int) bool {
		if sorted[i].File != sorted[j].File {
			return sorted[i].File < sorted[j].File
		}
		if sorted[i].Line != sorted[j].Line {
			return sorted[i].Line < sorted[j].Line
		}
		return sorted[i].Column < sorted[j].Column
	})
	var b strings.Builder
	for _, m := range sorted {
		b.WriteString(m.String())
		b.WriteByte('\n')
	}
	if len(ms) == 1 {
		b.WriteString("1 mistake, nothing was done")
	} else {
		fmt.Fprintf(&b, "%d mistakes, nothing was done", len(ms))
	}
	return b.String()
}

// Err returns ms as an error, nil if there is none.
func (ms Mistakes) Err() error {
	if len(ms) == 0 {
		return nil
	}
	return ms
}

// Places remembers where each setting stands, by its path ("crm.hubspot.auth").
type Places struct {
	File string
	// Source is the document as it was written, but for its comments.
	Source string
	at     map[string][2]int
	d      *decoder
}

// Mistake returns a mistake about the setting at path, or about the nearest
// setting above it that is there.
func (p *Places) Mistake(path, what, mend string) Mistake {
	m := Mistake{File: p.File, What: what, Mend: mend}
	for path != "" {
		if at, ok := p.at[path]; ok {
			m.Line, m.Column = at[0], at[1]
			return m
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			break
		}
		path = path[:i]
	}
	return m
}

// DidYouMean says what an unknown name was probably meant to be, or which are known.
func DidYouMean(got string, known []string) string {
	if near := nearest(got, known); near != "" {
		return "did you mean " + near + "?"
	}
	return "known here: " + strings.Join(known, ", ")
}

// nearest returns the known name that got was probably meant to be, or "".
func nearest(got string, known []string) string {
	best, bestD := "", 1+max(1, len(got)/3)
	if len(got) > 100 {
		return ""
	}
	for _, k := range known {
		if d := distance(got, k); d < bestD {
			best, bestD = k, d
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
