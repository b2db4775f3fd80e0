package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/cmd/crmstream/tenants"
	"github.com/crmstream/crmstream/schemas"
)

// A dry run says who would be erased and sends nothing; the act names nobody but by our
// own id, has a salt, and is over once nobody like that is known.
func TestContactsErase(t *testing.T) {
	c := newCluster(t)
	asked := make(map[string]int)
	owner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := r.URL.Query().Get("what")
		asked[what]++
		one := `{"id":"p1","status":"active","contact_id":"d1","fields":[{"name":"email","value":"ann@example.com"}],"records":[{"record":{"provider":"sf","object":"Lead","id":"L1"}}]}`
		switch {
		case what == "p1" && asked[what] > 1, what == "nobody":
			http.Error(w, "nothing found", http.StatusNotFound)
		case what == "+14155550100":
			fmt.Fprintf(w, `{"persons":[%s,%s]}`, one, strings.Replace(one, "p1", "p2", 1))
		default:
			fmt.Fprintf(w, `{"persons":[%s]}`, one)
		}
	}))
	defer owner.Close()
	run := func(status int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if args[0] == "erase" {
			args = append(args, "--address", strings.TrimPrefix(owner.URL, "http://"))
		}
		if got := Main(append(append([]string{"contacts"}, args...), c.at...), &out, &out); got != status {
			t.Errorf("%q: status %d, want %d: %s", args, got, status, out.String())
		}
		return out.String()
	}
	if got := run(0, "erase", "acme", "ann@example.com", "--dry-run"); got != "p1 (active)\n  contact  d1\n  fields   email\n  records  sf/Lead/L1\nnothing was done (--dry-run)\n" {
		t.Errorf("the dry run says\n%s", got)
	}
	run(exitFound, "erase", "acme", "nobody")
	if got := run(exitFound, "erase", "acme", "+14155550100"); !strings.Contains(got, "2 persons are +14155550100: name one by its id") {
		t.Errorf("of two persons it says\n%s", got)
	}
	if got := run(0, "erase", "acme", "ann@example.com", "--by", "ann"); !strings.HasSuffix(got, "acme p1 is erased\n") {
		t.Errorf("it says\n%s", got)
	}
	run(exitInput, "allow", "acme")
	run(0, "allow", "acme", "--email", "ann@example.com", "--by", "ann")

	cl, err := kgo.NewClient(append(tenants.ClientOpts(), kgo.SeedBrokers(c.at[1]))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var sent []schemas.ControlAction
	if _, err := tenants.New(cl, c.codec).Scan(t.Context(), schemas.TopicControlActions, func(v any) { sent = append(sent, *v.(*schemas.ControlAction)) }); err != nil {
		t.Fatal(err)
	}
	if len(sent) != 2 {
		t.Fatalf("%d actions were sent: %+v", len(sent), sent)
	}
	if f := sent[0].Fields; sent[0].Kind != schemas.ActionErasePerson || len(f) != 2 || f[0] != (schemas.Field{Name: "person", Value: f[0].Value}) || *f[0].Value != "p1" || len(*f[1].Value) < 20 {
		t.Errorf("sent: %+v", sent[0])
	}
	if f := sent[1].Fields; sent[1].Kind != schemas.ActionErasePerson || len(f) != 2 || *f[0].Value != "ann@example.com" || *f[1].Value != "allow" {
		t.Errorf("sent: %+v", sent[1])
	}
}
