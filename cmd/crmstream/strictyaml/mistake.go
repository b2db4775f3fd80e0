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
