package config

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/crmstream/crmstream/cmd/crmstream/strictyaml"
	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/pipeline/script"
	"github.com/crmstream/crmstream/schemas"
)

// Test is an example that stands beside a mapping.
type Test struct {
	Entity, Field string
	In, Out       *string
	Error         bool // the value is to be refused

	places []target // of the lines that it stands beside
	path   string
}

// beside reports whether it stands beside a line of these records.
func (t *Test) beside(o *mapping.Object) bool {
	for _, p := range t.places {
		if (p.provider == "" || p.provider == o.Provider) && (p.object == "" || p.object == o.Name) {
			return true
		}
	}
	return false
}

// RunTests runs the examples of a document, and returns those that fail, each with its
// place. ran is how many there were, each once for each record that the field is
// mapped to.
func RunTests(d *Document, providers []connectors.Provider) (failed strictyaml.Mistakes, ran int) {
	host := script.New(script.Options{})
	defer host.Close()
	c, _ := Base(providers).Compile(&d.Config)
	env := c.Env
	env.Scripts = host
	for _, t := range d.Tests {
		for _, o := range slices.Concat(c.Objects(), c.Tables()) {
			if t.Entity != cmp.Or(o.Entity, schemas.EntityContact) || !hasAccount(&d.Config, o.Provider) || !t.beside(o) {
				continue
			}
			for _, l := range o.Lines {
				if l.Dialer != t.Field {
					continue
				}
				ran++
				if wrong := runTest(&env, l, t); wrong != "" {
					failed = append(failed, d.places.Mistake(t.path, fmt.Sprintf("%s (%s.%s.%s): %s", t.Field, o.Provider, o.Name, l.CRM, wrong), ""))
				}
			}
		}
	}
	return failed, ran
}

func hasAccount(c *schemas.TenantConfig, provider string) bool {
	for i := range c.Accounts {
		if c.Accounts[i].Provider == provider {
			return true
		}
	}
	return false
}

// runTest says what is wrong; a bidirectional line is asked for the way back, too.
func runTest(e *mapping.Env, l *mapping.Line, t Test) string {
	one := l.In
	if !l.Inbound() {
		one = l.Out
	}
	got, err := one(e, t.In)
	switch {
	case t.Error && err == nil:
		return fmt.Sprintf("%s is to be refused, and is %s", show(t.In), show(got))
	case t.Error:
		return ""
	case err != nil:
		return fmt.Sprintf("%s is refused: %v", show(t.In), err)
	case show(got) != show(t.Out):
		return fmt.Sprintf("%s is %s, expected is %s", show(t.In), show(got), show(t.Out))
	case !l.Inbound() || !l.Outbound() || got == nil:
		return ""
	}
	back, err := l.Out(e, got)
	if err != nil {
		return fmt.Sprintf("there is no way back from %s: %v", show(got), err)
	}
	if again, err := l.In(e, back); err != nil || !l.Same(e, again, got) {
		return fmt.Sprintf("%s goes back as %s, which is %s", show(got), show(back), show(again))
	}
	return ""
}

func show(v *string) string {
	if v == nil {
		return "empty"
	}
	return fmt.Sprintf("%q", *v)
}
