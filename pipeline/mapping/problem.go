package mapping

import "fmt"

// Problem is one thing that is wrong in a configuration.
type Problem struct {
	// List and Index name the entry: "mappings" 3; Index is -1 for a setting of the whole.
	List  string
	Index int
	// Part is the setting of the entry, by its name in the record: "transform", or
	// "validations[1]". "" = the entry.
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

func quote(s string) string { return fmt.Sprintf("%q", s) }
