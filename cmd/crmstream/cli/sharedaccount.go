package cli

import (
	"fmt"
	"io"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/schemas"
)

// warnShared says where a tenant of a file has the account of another one. Two teams may
// share an org, each with its scope; most often it is the same customer under a name that
// was misspelt, and each of both would write to it.
func warnShared(w io.Writer, docs []config.Document, applied []schemas.TenantConfig) {
	type account struct{ provider, server, id string }
	of := make(map[account][]string) // the tenants that have it, once this is applied
	inFile := make(map[string]bool)
	add := func(c *schemas.TenantConfig) {
		for _, a := range c.Accounts {
			k := account{a.Provider, a.Server, a.ID}
			of[k] = append(of[k], c.Tenant)
		}
	}
	for i := range docs {
		inFile[docs[i].Config.Tenant] = true
	}
	for i := range applied {
		if !inFile[applied[i].Tenant] {
			add(&applied[i])
		}
	}
	for i := range docs {
		c := &docs[i].Config
		for _, a := range c.Accounts {
			if others := of[account{a.Provider, a.Server, a.ID}]; len(others) > 0 {
				fmt.Fprintf(w, "warning: %s: the %s account %s is %s's, too: both write to it. If they are one customer, remove one of them: crmstream tenants remove NAME\n", c.Tenant, a.Provider, a.ID, others[0])
			}
		}
		add(c)
	}
}
