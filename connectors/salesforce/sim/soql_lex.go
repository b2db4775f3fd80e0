package sim

import (
	"fmt"
	"strings"
)

// soqlError is a query that cannot run. Its message has the vendor's preamble: an excerpt, a caret below the place, and the place.
type soqlError struct {
	code, text string
	pos        int
	bare       bool // no preamble
}

func (e *soqlError) Error() string { return e.code + ": " + e.text }

// answer makes the error body for a query text.
func (e *soqlError) answer(q string) *apiError {
	if e.bare {
		return badRequest(e.code, e.text)
	}
	pos := min(e.pos, len(q))
	row := 1 + strings.Count(q[:pos], "\n")
	column := pos - strings.LastIndexByte(q[:pos], '\n')
	from, to := max(0, pos-32), min(len(q), pos+32)
	excerpt := strings.ToValidUTF8(strings.ReplaceAll(q[from:to], "\n", " "), "?")
	return badRequest(e.code, fmt.Sprintf("\n%s\n%s^\nERROR at Row:%d:Column:%d\n%s", excerpt, strings.Repeat(" ", pos-from), row, column, e.text))
}

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokName
	tokString
	tokNumber
	tokTime // date or datetime
	tokSymbol
)

type token struct {
	kind tokenKind
	text string // as written; of a string, the unescaped value
	raw  string // of a string, the value with its LIKE escapes kept
	pos  int
}

// is reports whether the token is this keyword or symbol. Keywords ignore case.
func (t token) is(word string) bool {
	return (t.kind == tokName || t.kind == tokSymbol) && strings.EqualFold(t.text, word)
}

func malformed(t token) *soqlError {
	text := t.text
	if t.kind == tokEnd {
		text = "<EOF>"
	}
	return &soqlError{code: "MALFORMED_QUERY", text: "unexpected token: '" + text + "'", pos: t.pos}
}

// lex splits a query into tokens; the last one is tokEnd.
func lex(q string) ([]token, *soqlError) {
	var out []token
	for i := 0; i < len(q); {
		c := q[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '\'':
			t, n, err := lexString(q, i)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
			i = n
		case isDigit(c) || (c == '-' || c == '+' || c == '.') && i+1 < len(q) && (isDigit(q[i+1]) || q[i+1] == '.'):
			t := lexNumber(q, i)
			out = append(out, t)
			i += len(t.text)
		case isLetter(c):
			j := i
			for j < len(q) && (isLetter(q[j]) || isDigit(q[j])) {
				j++
			}
			out = append(out, token{kind: tokName, text: q[i:j], pos: i})
			i = j
		default:
			n := 1
			if i+1 < len(q) {
				switch q[i : i+2] {
				case "!=", "<>", "<=", ">=":
					n = 2
				}
			}
			if n == 1 && !strings.ContainsRune("(),.=<>:", rune(c)) {
				return nil, &soqlError{code: "MALFORMED_QUERY", text: fmt.Sprintf("line 1:%d no viable alternative at character '%s'", i, strings.ToValidUTF8(string(c), "?")), pos: i}
			}
			out = append(out, token{kind: tokSymbol, text: q[i : i+n], pos: i})
			i += n
		}
	}
	return append(out, token{kind: tokEnd, pos: len(q)}), nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isLetter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// lexString reads a quoted string. raw keeps \% and \_ for LIKE, which tells them from its wildcards.
func lexString(q string, i int) (token, int, *soqlError) {
	var text, raw strings.Builder
	for j := i + 1; j < len(q); j++ {
		switch c := q[j]; c {
		case '\'':
			return token{kind: tokString, text: text.String(), raw: raw.String(), pos: i}, j + 1, nil
		case '\\':
			j++
			if j == len(q) {
				break
			}
			e := q[j]
			var out byte
			switch e {
			case 'n', 'N':
				out = '\n'
			case 'r', 'R':
				out = '\r'
			case 't', 'T':
				out = '\t'
			case 'b', 'B':
				out = '\b'
			case 'f', 'F':
				out = '\f'
			case '\'', '"', '\\', '%', '_':
				out = e
			default:
				return token{}, 0, &soqlError{code: "MALFORMED_QUERY", text: "Invalid string literal: illegal character sequence '\\" + strings.ToValidUTF8(string(e), "?") + "'", pos: i}
			}
			text.WriteByte(out)
			if out == '%' || out == '_' || out == '\\' {
				raw.WriteByte('\\')
			}
			raw.WriteByte(out)
		default:
			text.WriteByte(c)
			raw.WriteByte(c)
		}
	}
	return token{}, 0, &soqlError{code: "MALFORMED_QUERY", text: "unexpected token: '''", pos: i}
}

// lexNumber reads a number, date or datetime: all begin with a digit and hold no blank.
func lexNumber(q string, i int) token {
	j := i + 1
	for j < len(q) && (isDigit(q[j]) || isLetter(q[j]) || q[j] == '.' || q[j] == '-' || q[j] == ':' || q[j] == '+') {
		j++
	}
	text := q[i:j]
	kind := tokNumber
	if len(text) >= len(dateOnly) && text[4] == '-' {
		kind = tokTime
	}
	return token{kind: kind, text: text, pos: i}
}
