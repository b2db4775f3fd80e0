package sim

// Serves GET /services/data/vNN.N/search with ?q=, a search in SOSL:
//
//	FIND {words} [IN ALL|EMAIL|NAME|PHONE|SIDEBAR FIELDS] [RETURNING Object[(fields [WHERE …] [ORDER BY …] [LIMIT n])], …] [LIMIT n]
//
// A word is found where it is a word of a field, or its beginning with * at its end; in a phone field punctuation does not count, and
// a number is found by its last digits too.
//
// Deviations: the index follows the records at once; all words must be found; no OR, AND NOT, parentheses, phrases or ? within the
// braces; no WITH, UPDATE, DIVISION; what is deleted is not found, and nothing is ranked.

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

const (
	foundMost = 2000
	wordLeast = 2 // characters of a search term
)

var (
	sosl    = regexp.MustCompile(`(?is)^\s*FIND\s*\{((?:\\.|[^}\\])*)\}\s*(?:\s+IN\s+(ALL|EMAIL|NAME|PHONE|SIDEBAR)\s+FIELDS)?\s*(?:\s+RETURNING\s+(.*?))?(?:\s+LIMIT\s+(\d+))?\s*$`)
	clause  = regexp.MustCompile(`(?i)\s+(WHERE|ORDER\s+BY|LIMIT)\s`)
	escaped = regexp.MustCompile(`\\(.)`)
)

// searched are the objects of a search that names none.
var searched = []string{"Account", "Contact", "Lead"}

func (c *call) search() *apiError {
	if c.r.Method != http.MethodGet {
		return methodNotAllowed(c.r.Method, "GET,HEAD")
	}
	text := c.r.URL.Query().Get("q")
	m := sosl.FindStringSubmatch(text)
	if m == nil {
		return badRequest("MALFORMED_SEARCH", "No search term found. The search term must be enclosed in braces.")
	}
	words := strings.Fields(escaped.ReplaceAllString(m[1], "$1"))
	if !slices.ContainsFunc(words, func(w string) bool { return len([]rune(strings.Trim(w, "*"))) >= wordLeast }) {
		return badRequest("MALFORMED_SEARCH", "search term must be longer than one character: "+m[1])
	}
	left := foundMost
	if m[4] != "" {
		left, _ = strconv.Atoi(m[4])
	}
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	body := []byte(`{"searchRecords":[`)
	for _, part := range returning(m[3]) {
		q, perr := parseSOQL(part)
		if perr != nil {
			return perr.answer(part)
		}
		p, perr := c.o.compile(q, false)
		if perr != nil {
			return perr.answer(part)
		}
		matches := searching(p.obj, strings.ToUpper(m[2]), words)
		where := p.where
		p.where = func(r *record) bool { return matches(r) && (where == nil || where(r)) }
		p.index = false
		rows := p.run()
		rows = rows[:min(len(rows), left)]
		left -= len(rows)
		if list := p.appendRows(nil, rows, c.base); len(rows) > 0 {
			if body[len(body)-1] == '}' {
				body = append(body, ',')
			}
			body = append(body, list[1:len(list)-1]...)
		}
	}
	writeRaw(c.w, http.StatusOK, append(body, `]}`...))
	return nil
}

// returning is what a search returns, as one query for each object.
func returning(text string) []string {
	if text == "" {
		text = strings.Join(searched, ",")
	}
	var parts []string
	depth, from := 0, 0
	for i, r := range text + "," {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ',' && depth == 0:
			object, inner, _ := strings.Cut(strings.TrimSpace(text[from:i]), "(")
			inner = strings.TrimSuffix(inner, ")")
			fields, rest := inner, ""
			if at := clause.FindStringIndex(inner); at != nil {
				fields, rest = inner[:at[0]], inner[at[0]:]
			}
			if strings.TrimSpace(fields) == "" {
				fields = "Id"
			}
			parts = append(parts, "SELECT "+fields+" FROM "+strings.TrimSpace(object)+rest)
			from = i + 1
		}
	}
	return parts
}

// searching says of a record whether all words are found in the fields of a group.
func searching(o *object, group string, words []string) pred {
	var fields []*field
	for _, f := range o.fields {
		name := strings.HasSuffix(f.name, "Name") || f.name == "Company" || f.name == "Subject"
		switch {
		case !f.typ.text() || f.sys != sysNone:
		case group == "PHONE" && f.typ != tPhone, group == "EMAIL" && f.typ != tEmail, group == "NAME" && !name:
		default:
			fields = append(fields, f)
		}
	}
	return func(r *record) bool {
		return !slices.ContainsFunc(words, func(w string) bool {
			return !slices.ContainsFunc(fields, func(f *field) bool {
				s, _ := o.value(r, f).(string)
				return s != "" && holds(f.typ, s, w)
			})
		})
	}
}

func holds(typ fieldType, value, word string) bool {
	if typ == tPhone {
		w := digitsOf(word)
		return w != "" && strings.HasSuffix(digitsOf(value), w)
	}
	stem, begins := strings.CutSuffix(strings.ToLower(word), "*")
	for part := range strings.FieldsFuncSeq(strings.ToLower(value), func(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == ';' }) {
		if part == stem || begins && strings.HasPrefix(part, stem) {
			return true
		}
	}
	return false
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}
