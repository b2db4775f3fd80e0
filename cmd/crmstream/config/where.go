package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/crmstream/crmstream/schemas"
)

// where reads the conditions of a scope: conditions with AND between them, each a
// field with = VALUE, != VALUE, IN (VALUE, …), NOT IN (VALUE, …), IS SET or IS NOT SET.
// A value stands in single quotes where it has blanks or signs.
func where(text string) ([]schemas.Filter, error) {
	l, err := tokens(text)
	if err != nil {
		return nil, err
	}
	var fs []schemas.Filter
	for {
		f, err := l.condition()
		if err != nil {
			return nil, err
		}
		fs = append(fs, f)
		if len(l.rest) == 0 {
			return fs, nil
		}
		if !l.word("AND") {
			return nil, fmt.Errorf("AND is missing before %q", l.rest[0].text)
		}
	}
}

type item struct {
	text   string
	quoted bool
}

type lexer struct{ rest []item }

func tokens(text string) (*lexer, error) {
	l := &lexer{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		switch c := text[0]; {
		case c == '\'':
			end := strings.IndexByte(text[1:], '\'')
			if end < 0 {
				return nil, errors.New("a quote that is not closed")
			}
			l.rest = append(l.rest, item{text[1 : 1+end], true})
			text = text[2+end:]
		case c == '!' && strings.HasPrefix(text, "!="):
			l.rest = append(l.rest, item{"!=", false})
			text = text[2:]
		case strings.IndexByte("(),=", c) >= 0:
			l.rest = append(l.rest, item{text[:1], false})
			text = text[1:]
		default:
			end := strings.IndexAny(text, " \t\n(),='!")
			if end == 0 {
				return nil, fmt.Errorf("%q can't stand here", text[:1])
			}
			if end < 0 {
				end = len(text)
			}
			l.rest = append(l.rest, item{text[:end], false})
			text = text[end:]
		}
	}
	return l, nil
}

// word takes one word, whatever its case.
func (l *lexer) word(w string) bool {
	if len(l.rest) > 0 && !l.rest[0].quoted && strings.EqualFold(l.rest[0].text, w) {
		l.rest = l.rest[1:]
		return true
	}
	return false
}

func (l *lexer) value() (string, error) {
	if len(l.rest) == 0 {
		return "", errors.New("a value is missing at the end")
	}
	v := l.rest[0]
	if !v.quoted && strings.ContainsAny(v.text, "(),=!") {
		return "", fmt.Errorf("a value is missing before %q", v.text)
	}
	l.rest = l.rest[1:]
	return v.text, nil
}

func (l *lexer) condition() (f schemas.Filter, err error) {
	if f.Field, err = l.value(); err != nil {
		return f, err
	}
	switch {
	case l.word("="):
		f.Op = "eq"
	case l.word("!="):
		f.Op = "ne"
	case l.word("IN"):
		f.Op = "in"
	case l.word("NOT"):
		if !l.word("IN") {
			return f, fmt.Errorf("IN is missing after NOT, of %s", f.Field)
		}
		f.Op = "not_in"
	case l.word("IS"):
		f.Op = "set"
		if l.word("NOT") {
			f.Op = "unset"
		}
		if !l.word("SET") {
			return f, fmt.Errorf("SET is missing after IS, of %s", f.Field)
		}
		return f, nil
	default:
		return f, fmt.Errorf("=, !=, IN, NOT IN or IS SET is missing after %s", f.Field)
	}
	if f.Op == "eq" || f.Op == "ne" {
		v, err := l.value()
		f.Values = []string{v}
		return f, err
	}
	if !l.word("(") {
		return f, fmt.Errorf("( is missing, of %s", f.Field)
	}
	for {
		v, err := l.value()
		if err != nil {
			return f, err
		}
		f.Values = append(f.Values, v)
		if l.word(")") {
			return f, nil
		}
		if !l.word(",") {
			return f, fmt.Errorf("a comma or ) is missing after %q", v)
		}
	}
}
