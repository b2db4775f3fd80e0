package pipetest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/schemas"
)

// words splits a line at blanks outside quotes.
func words(line string) []string {
	var out []string
	var b strings.Builder
	quoted, any := false, false
	for _, r := range line {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case r == ' ' && !quoted:
			if any {
				out = append(out, b.String())
				b.Reset()
				any = false
			}
		default:
			b.WriteRune(r)
			any = true
		}
	}
	if any {
		out = append(out, b.String())
	}
	return out
}

// escapes are what stands for a character that can't be read in a script.
var escapes = strings.NewReplacer(`\n`, "\n", `\0`, "\x00", `\b`, "\b", `\v`, "\v")

// args are the words of a command: those with "=" by name, the rest by place.
type args struct {
	rest  []string
	named []schemas.Field
}

func parse(ws []string) *args {
	a := &args{}
	for _, w := range ws {
		k, v, ok := strings.Cut(w, "=")
		switch {
		case !ok:
			a.rest = append(a.rest, w)
		case v == "null":
			a.named = append(a.named, schemas.Field{Name: k})
		case strings.Contains(v, `\`):
			a.named = append(a.named, schemas.Text(k, escapes.Replace(v)))
		case strings.HasPrefix(v, "x*"): // a text of so many x
			n, err := strconv.Atoi(v[2:])
			if err == nil {
				v = strings.Repeat("x", n)
			}
			fallthrough
		default:
			a.named = append(a.named, schemas.Text(k, v))
		}
	}
	return a
}

// at returns the word at a place, "" if there is none.
func (a *args) at(i int) string {
	if i < len(a.rest) {
		return a.rest[i]
	}
	return ""
}

func (a *args) flag(name string) bool {
	for _, w := range a.rest {
		if w == name {
			return true
		}
	}
	return false
}

// take removes a named word and returns its value.
func (a *args) take(name string) (string, bool) {
	for i, f := range a.named {
		if f.Name == name {
			a.named = append(a.named[:i], a.named[i+1:]...)
			if f.Value == nil {
				return "", true
			}
			return *f.Value, true
		}
	}
	return "", false
}

func (a *args) text(name string) string {
	v, _ := a.take(name)
	return v
}

func (a *args) optional(name string) *string {
	if v, ok := a.take(name); ok {
		return &v
	}
	return nil
}

func (a *args) number(name string, otherwise int64) (int64, error) {
	v, ok := a.take(name)
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s=%s is no number", name, v)
	}
	return n, nil
}

// time reads a clock time of the script's day, or a duration before or after now.
func (a *args) time(name string, now, otherwise int64) (int64, error) {
	v, ok := a.take(name)
	if !ok {
		return otherwise, nil
	}
	return moment(v, now)
}

func moment(v string, now int64) (int64, error) {
	if strings.HasPrefix(v, "+") || strings.HasPrefix(v, "-") {
		d, err := time.ParseDuration(v)
		if err != nil {
			return 0, fmt.Errorf("%q is no duration", v)
		}
		return now + d.Milliseconds(), nil
	}
	t, err := time.Parse(time.TimeOnly, v)
	if err != nil {
		return 0, fmt.Errorf("%q is no time of the day: 09:00:00, or +1h", v)
	}
	return day + t.Sub(t.Truncate(24*time.Hour)).Milliseconds(), nil
}

func link(v string) (*schemas.Link, error) {
	p := strings.Split(v, "/")
	if len(p) != 3 {
		return nil, fmt.Errorf("%q is no link: provider/Object/id", v)
	}
	return &schemas.Link{Provider: p[0], Object: p[1], ID: p[2]}, nil
}
