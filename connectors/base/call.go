package base

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Subject is the title of a call, of at most n characters.
func Subject(c profile.Call, n int) string {
	if c.Disposition == "" {
		return "Call"
	}
	return Cut("Call - "+c.Disposition, n)
}

// Description is the text of a call: the notes, then a line for what the CRM has no
// field for. extra is name and value in turn; an empty value has no line.
func Description(c profile.Call, extra ...string) string {
	score, agent := "", ""
	if c.Score != nil {
		score = strconv.FormatFloat(*c.Score, 'f', -1, 64)
	}
	if c.OwnerID == "" { // B16: the rep stands in the text
		agent = c.AgentEmail
	}
	var lines []string
	for line := range slices.Chunk(append(slices.Clone(extra), "Agent", agent, "Score", score, "Recording", c.RecordingURL), 2) {
		if line[1] != "" {
			lines = append(lines, line[0]+": "+line[1])
		}
	}
	notes := strings.ReplaceAll(c.Notes, "\r\n", "\n")
	if notes != "" && len(lines) > 0 {
		notes += "\n\n"
	}
	return notes + strings.Join(lines, "\n")
}

// Fields gathers the fields of a record.
type Fields []schemas.Field

// Set adds a field; "" clears it in the CRM.
func (f *Fields) Set(name, value string) { *f = append(*f, schemas.Text(name, value)) }

// Any adds a field that has a value.
func (f *Fields) Any(name, value string) {
	if value != "" {
		f.Set(name, value)
	}
}

// Sorted returns them by name.
func (f Fields) Sorted() []schemas.Field {
	slices.SortFunc(f, func(a, b schemas.Field) int { return strings.Compare(a.Name, b.Name) })
	return f
}

// Cut shortens s to n characters, marked (B28).
func Cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
