package cli

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/cmd/crmstream/demo"
)

// running is a whole demo in this process, and the command line of somebody who has
// nothing but the file that it wrote.
type running struct {
	t      *testing.T
	ctx    context.Context
	file   string // for -c
	config *config.Config
}

func newRunning(t *testing.T) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	dir := t.TempDir()
	r := &running{t: t, ctx: ctx, file: filepath.Join(dir, "crmstream.yaml")}
	ended := make(chan error, 1)
	go func() {
		_, err := demo.Run(ctx, demo.Options{Dir: dir, Tenants: 1, AutoPorts: true, Seed: 1, Rate: 1, Out: io.Discard, Log: slog.New(slog.DiscardHandler)})
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	r.until("the demo's file", func() bool {
		c, err := config.Load(r.file, nil)
		r.config = c
		return err == nil
	})
	return r
}

// until looks again and again.
func (r *running) until(what string, done func() bool) {
	r.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-r.ctx.Done():
			r.t.Fatalf("%s did not come", what)
		case <-tick.C:
		}
	}
}

func (r *running) say(args ...string) (int, string) {
	var out bytes.Buffer
	status := Main(append(args, "-c", r.file), &out, &out)
	return status, out.String()
}

// says waits until a command says something.
func (r *running) says(want string, args ...string) string {
	r.t.Helper()
	said, status := "", 0
	defer func() {
		if r.t.Failed() {
			r.t.Logf("crmstream %s: status %d\n%s", strings.Join(args, " "), status, said)
		}
	}()
	pattern := regexp.MustCompile(want)
	r.until("crmstream "+strings.Join(args, " ")+": "+want, func() bool {
		status, said = r.say(args...)
		return pattern.MatchString(said)
	})
	return said
}

// sim does something in the simulated Salesforce.
func (r *running) sim(what, body string) string {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.ctx, http.MethodPost, r.config.Servers["salesforce"]+"/_sim/"+what, strings.NewReader(`{"org": "00D5g0000000001EAA", "object": "Lead", `+body+"}"))
	if err != nil {
		r.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		r.t.Fatalf("%s: %s %s, %v", what, res.Status, b, err)
	}
	return string(b)
}

// A field is taken from a CRM under a whole process: what its admin sees by the commands,
// and that all of it is over once the field is there again (B27).
func TestAFieldGoesAndComesBack(t *testing.T) {
	r := newRunning(t)
	title := `(?m)^Title +Title +string\(128\) +title bidirectional \(default\) +$`
	r.says(title, "tenants", "fields", "acme", "--object", "Lead")
	if status, said := r.say("conflicts", "list", "--tenant", "acme"); status != 0 || strings.Contains(said, "drift") {
		t.Fatalf("before: %d, %s", status, said)
	}

	r.sim("fields", `"field": "Title", "hidden": true`)
	status, doc := r.say("tenants", "show", "acme")
	if status != 0 {
		t.Fatal(doc)
	}
	file := filepath.Join(t.TempDir(), "acme.yaml")
	write := func(more string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(doc+more), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("calls: {min_seconds: 1}\n")
	if status, said := r.say("tenants", "apply", "-f", file); status != 0 || said != "acme is at version 2\n" { // has the CRMs asked again
		t.Fatalf("a change of something else: %d, %s", status, said)
	}
	r.says(`acme +drift:salesforce:Lead:Title +drift `, "conflicts", "list", "--tenant", "acme")
	r.says(`next: .*title: off`, "conflicts", "show", "acme", "drift:salesforce:Lead:Title")
	r.says(`acme +salesforce +well .* a mapped field is not as the CRM describes it: crmstream conflicts list --tenant acme`, "status")
	r.says(`(?m)^Title .* title bidirectional \(default\) +it is not there: .* → .*title: off`, "tenants", "fields", "acme", "--object", "Lead")
	if status, said := r.say("conflicts", "resolve", "acme", "drift:salesforce:Lead:Title", "--take", "crm"); status != exitFound || !strings.Contains(said, "can't be accepted as it is") {
		t.Errorf("accepted: %d, %s", status, said)
	}
	write("mapping:\n  contact:\n    title: {to: Lead.Title, direction: inbound}\n")
	for _, command := range []string{"lint", "apply"} {
		status, said := r.say("tenants", command, "-f", file)
		if status != exitInput || !strings.Contains(said, "salesforce.Lead.Title is not in the CRM, or the integration's user does not see it") || !strings.Contains(said, "1 mistake, nothing was done") {
			t.Errorf("%s of a line to it: %d, %s", command, status, said)
		}
	}

	r.sim("fields", `"field": "Title", "hidden": false`)
	write("calls: {min_seconds: 2}\n")
	// It names no line of the file, so it is a warning; what is applied has the CRMs asked again.
	if status, said := r.say("tenants", "apply", "-f", file); status != 0 || !strings.HasPrefix(said, "warning: ") || !strings.Contains(said, "salesforce.Lead.Title is not in the CRM") || !strings.HasSuffix(said, "acme is at version 3\n") {
		t.Fatalf("a change of something else: %d, %s", status, said)
	}
	r.says(title, "tenants", "fields", "acme", "--object", "Lead")
	r.says(`drift:salesforce:Lead:Title resolved`, "conflicts", "show", "acme", "drift:salesforce:Lead:Title")
	if status, said := r.say("conflicts", "list", "--tenant", "acme"); status != 0 || strings.Contains(said, "drift") {
		t.Errorf("after: %d, %s", status, said)
	}
	if _, said := r.say("status"); strings.Contains(said, "mapped field") {
		t.Errorf("after: %s", said)
	}
	write("mapping:\n  contact:\n    title: {to: Lead.Title, direction: inbound}\n")
	if status, said := r.say("tenants", "apply", "-f", file); status != 0 || said != "acme is at version 4\n" {
		t.Errorf("a line to it: %d, %s", status, said)
	}
}

// A credential that can't be read stops its account: status names the reference and the
// mend, and all goes on with the next file that is applied. A slip in a field's name is
// answered with the name.
func TestWhatStopsAnAccountIsSaidWithItsMend(t *testing.T) {
	r := newRunning(t)
	r.says(`(?m)^acme +salesforce +well `, "status")
	_, doc := r.say("tenants", "show", "acme")
	file := filepath.Join(t.TempDir(), "acme.yaml")
	apply := func(doc string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, said := r.say("tenants", "apply", "-f", file); status != 0 {
			t.Fatalf("%d, %s", status, said)
		}
	}
	apply(regexp.MustCompile(`"file:[^"]*"`).ReplaceAllString(doc, `"file:nope.pem"`))
	r.says(`acme +salesforce +(parked|credential_lost) .* the reference of auth\.key file:nope\.pem can't be resolved where the pipeline runs.*\n\nparked: somebody must mend .* crm: in the tenant's file\. It is tried .* crmstream tenants apply`, "status")
	apply(doc)
	r.says(`(?m)^acme +salesforce +well `, "status")
	r.says(`first_name +\S+\n`, "explain", "acme", "p1", "--field", "first_name")
	if status, said := r.say("explain", "acme", "p1", "--field", "fist_name"); status != exitFound || said != "crmstream: the person has no field fist_name: did you mean first_name?\n" {
		t.Errorf("%d, %s", status, said)
	}
}

// A field that the scope asks for is taken from the CRM: nobody is asked for it any more,
// it is listed, and a file with such a condition is refused. Back again, whoever came in
// meanwhile is judged by it (B9, B27).
func TestAFieldOfTheScopeGoesAndComesBack(t *testing.T) {
	r := newRunning(t)
	r.says(`(?m)^acme +salesforce +well `, "status")
	_, doc := r.say("tenants", "show", "acme")
	file := filepath.Join(t.TempDir(), "acme.yaml")
	apply := func(scope string, args ...string) (int, string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(strings.Replace(doc, "    account:", "    scope: {Lead: \""+scope+"\"}\n    account:", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		return r.say(append([]string{"tenants", "apply", "-f", file}, args...)...)
	}
	if status, said := apply("Ratin != Cold"); status != exitInput || !strings.Contains(said, "the scope asks for salesforce.Lead.Ratin, which is not in the CRM") || !strings.Contains(said, "did you mean Rating?") {
		t.Errorf("a slip: %d, %s", status, said)
	}
	if status, said := apply("Rating != Cold"); status != 0 {
		t.Fatal(said)
	}
	r.says(`by configuration version 2 of acme`, "explain", "acme", "p1") // else who comes next is judged by the version before
	made := r.sim("write", `"user": "0055g0000000001AAA", "fields": {"LastName": "Zed", "Company": "Z", "Phone": "+14155559999", "Rating": "Cold"}`)
	id := regexp.MustCompile(`00Q\w{15}`).FindString(made)
	r.sim("write", `"user": "0055g0000000001AAA", "fields": {"LastName": "Yao", "Company": "Y", "Phone": "+14155559998", "Rating": "Hot"}`)
	r.says(`person p\d+, active`, "explain", "acme", "+14155559998")
	if status, said := r.say("explain", "acme", "+14155559999"); status != exitFound {
		t.Errorf("somebody out of the scope: %s", said)
	}

	r.sim("fields", `"field": "Rating", "hidden": true`)
	if status, said := apply("Rating != Cold", "--offline"); status != 0 { // has the CRM asked again
		t.Fatal(said)
	}
	r.says(`acme +drift:salesforce:Lead:Rating +drift `, "conflicts", "list", "--tenant", "acme")
	r.says(`scope +crm\.salesforce\.scope\.Lead +has a condition on it(?s:.*)next: .*take its condition out of crm\.salesforce\.scope\.Lead`, "conflicts", "show", "acme", "drift:salesforce:Lead:Rating")
	r.says(`(?m)^Rating +- +- +- +it is not there: `, "tenants", "fields", "acme", "--object", "Lead")
	if status, said := apply("Rating != Cold"); status != exitInput || !strings.Contains(said, "the scope asks for salesforce.Lead.Rating") {
		t.Errorf("a condition on a field that is gone: %d, %s", status, said)
	}
	r.sim("write", `"user": "0055g0000000001AAA", "id": "`+id+`", "fields": {"Title": "Boss"}`)
	r.says(`person p\d+, active`, "explain", "acme", "+14155559999") // as the item says

	r.sim("fields", `"field": "Rating", "hidden": false`)
	if status, said := apply("Rating != Cold", "--offline"); status != 0 {
		t.Fatal(said)
	}
	r.says(`drift:salesforce:Lead:Rating resolved`, "conflicts", "show", "acme", "drift:salesforce:Lead:Rating")
	r.says(`person p\d+, out_of_scope`, "explain", "acme", "+14155559999")
	r.says(`person p\d+, active`, "explain", "acme", "+14155559998")
}
