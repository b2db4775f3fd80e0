package config

import (
	"fmt"
	"testing"

	"github.com/crmstream/crmstream/connectors/all"
)

// A tenant's record carries the tenant's own document, not its neighbours'.
func TestEachTenantKeepsItsOwnDocument(t *testing.T) {
	const one = "tenant: %s\ncrm:\n  salesforce:\n    account: 00D5g000004abcdEAA\n    server: sandbox\n    auth: {flow: jwt, username: sync@%s.example, client_id: 3MVG9, key: \"file:/run/secrets/k.pem\"}\n"
	src := fmt.Sprintf(one, "acme", "acme") + "---\n" + fmt.Sprintf(one, "beta", "beta")
	got, err := Tenants("tenants.yaml", []byte(src), map[string]string{"sandbox": "http://127.0.0.1:1"}, all.Providers())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range got {
		if want := fmt.Sprintf(one, c.Tenant, c.Tenant); c.Document != want {
			t.Errorf("%s: %q", c.Tenant, c.Document)
		}
	}
}
