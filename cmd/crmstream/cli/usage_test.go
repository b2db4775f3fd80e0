package cli

import (
	"bytes"
	"testing"
)

// A command line that is not as the command takes it is answered with what it takes, and
// is a mistake of the caller's (2), also where a group of commands lacks the name.
func TestMisusedCommands(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"tenants", "history"}, "nothing was given: it is called as crmstream tenants history TENANT (--help says more)"},
		{[]string{"tenants", "fields", "acme", "Lead"}, "2 words were given: it is called as crmstream tenants fields TENANT (--help says more)"},
		{[]string{"conflicts", "list", "acme"}, "\"acme\" was given: it is called as crmstream conflicts list [--tenant TENANT] (--help says more)"},
		{[]string{"tenants", "diff"}, "--file is missing: it is called as crmstream tenants diff -f FILE (--help says more)"},
		{[]string{"tenants", "rollback", "acme"}, "--to is missing: it is called as crmstream tenants rollback TENANT --to VERSION (--help says more)"},
		{[]string{"tenants", "aply"}, "crmstream tenants has no command \"aply\": did you mean apply?"},
		{[]string{"tenant"}, "crmstream has no command \"tenant\": did you mean tenants?"},
		{[]string{"demo", "verfy"}, "crmstream demo has no command \"verfy\": did you mean verify?"},
		{[]string{"tenants", "lint", "--fil", "x"}, "unknown flag: --fil"},
	} {
		var out bytes.Buffer
		if status := Main(tt.args, &out, &out); status != exitInput || out.String() != "crmstream: "+tt.want+"\n" {
			t.Errorf("%v: status %d, %s", tt.args, status, out.String())
		}
	}
	var out bytes.Buffer
	if status := Main([]string{"tenants"}, &out, &out); status != 0 || !bytes.Contains(out.Bytes(), []byte("Available Commands")) {
		t.Errorf("a group of commands: status %d, %s", status, out.String())
	}
}
