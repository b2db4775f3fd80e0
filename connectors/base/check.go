package base

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/schemas"
)

// Checks gathers what is wrong with a configuration.
type Checks []connectors.Problem

// Add reports a mistake.
func (c *Checks) Add(setting, what, mend string) {
	*c = append(*c, connectors.Problem{Setting: setting, What: what, Mend: mend})
}

// Flow reports an auth flow that is none of the supported.
func (c *Checks) Flow(flow string, supported ...string) {
	if !slices.Contains(supported, flow) {
		c.Add("auth_flow", "is not supported", "use "+strings.Join(supported, " or "))
	}
}

// Need reports an auth setting that is missing.
func (c *Checks) Need(auth map[string]string, setting, mend string) {
	if auth[setting] == "" {
		c.Add("auth."+setting, "is missing", mend)
	}
}

// Reference reports an auth setting that is there and is no reference to a secret.
func (c *Checks) Reference(auth map[string]string, setting, what string) {
	if v := auth[setting]; v != "" && !strings.HasPrefix(v, "env:") && !strings.HasPrefix(v, "file:") {
		c.Add("auth."+setting, "is not a reference", "put "+what+" in a file or a variable and write file:PATH or env:NAME")
	}
}

// Unknown reports auth settings other than these, by name.
func (c *Checks) Unknown(auth map[string]string, known ...string) {
	var unknown []string
	for k := range auth {
		if !slices.Contains(known, k) {
			unknown = append(unknown, k)
		}
	}
	slices.Sort(unknown)
	for _, k := range unknown {
		c.Add("auth."+k, "is unknown", "remove it")
	}
}

// Map returns fields by name; null is "".
func Map(fs []schemas.Field) map[string]string {
	m := make(map[string]string, len(fs))
	for _, f := range fs {
		m[f.Name] = ""
		if f.Value != nil {
			m[f.Name] = *f.Value
		}
	}
	return m
}
