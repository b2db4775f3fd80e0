package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/pipeline/run/embedded"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
)

// cluster is a broker with the topics, and the command line at it.
type cluster struct {
	t     *testing.T
	codec *registry.Codec
	cl    *kgo.Client
	at    []string
	dir   string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	b, err := embedded.Start(ctx, embedded.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", RegistryListen: "127.0.0.1:0", Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	if err := run.EnsureTopics(ctx, cl, 2, 1); err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, codec: registry.NewCodec(b.RegistryURL()), cl: cl, at: []string{"--brokers", b.Addr(), "--registry", b.RegistryURL()}, dir: t.TempDir()}
	if err := c.codec.Register(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) file(text string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, "acme.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// place is where a mistake stands; how much room is after it depends on the folder.
var place = regexp.MustCompile(`(?m)^(acme\.yaml:\d+:\d+) +`)

var instant = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// unchecked is what apply and lint say where no pipeline runs.
var unchecked = regexp.MustCompile(`(?m)^warning: \S+: whether the CRMs have the mapped fields was not checked: .*\n`)

// say runs a command of tenants and returns its status and what it says.
func (c *cluster) say(args ...string) (int, string) {
	c.t.Helper()
	var out bytes.Buffer
	args = append([]string{"tenants"}, args...)
	if args[1] != "lint" && args[1] != "test" {
		args = append(args, c.at...)
	}
	status := Main(args, &out, &out)
	said := unchecked.ReplaceAllString(strings.ReplaceAll(out.String(), c.dir+"/", ""), "")
	return status, instant.ReplaceAllString(place.ReplaceAllString(said, "$1  "), "TIME")
}

func (c *cluster) want(status int, text string, args ...string) {
	c.t.Helper()
	got, said := c.say(args...)
	if d := cmp.Diff(text, said); got != status || d != "" {
		c.t.Errorf("crmstream tenants %s: status %d, want %d (- wanted, + said)\n%s", strings.Join(args, " "), got, status, d)
	}
}

const acme = `tenant: acme
crm:
  salesforce:
    account: 00D5g000004abcdEAA
    auth: {flow: jwt, username: sync@acme.example, client_id: 3MVG9, key: "file:/run/secrets/k.pem"}
`

// A tenant whose name was misspelt is a second one on the account of the first: that is
// said, also within a file. A tenant's own account, and another server's of that id, are not.
func TestASharedAccountIsSaid(t *testing.T) {
	c := newCluster(t)
	c.want(0, "acme is at version 1\n", "apply", "-f", c.file(acme))
	c.want(0, "acme is at version 2\n", "apply", "-f", c.file(acme))
	slip := strings.Replace(acme, "tenant: acme", "tenant: acmee", 1)
	said := "warning: acmee: the salesforce account 00D5g000004abcdEAA is acme's, too: both write to it. If they are one customer, remove one of them: crmstream tenants remove NAME\n"
	c.want(0, said+"acmee is at version 1\n", "apply", "-f", c.file(slip))
	c.want(0, said+"acme: well, with 0 warnings\nacmee: well, with 0 warnings\n", "lint", "-f", c.file(acme+"---\n"+slip))
	c.want(0, "acmee is removed with version 2\n", "remove", "acmee")
	c.want(0, "acme is at version 3\n", "apply", "-f", c.file(acme))
}

// A configuration from its first check to its rollback.
func TestLifeOfAConfiguration(t *testing.T) {
	c := newCluster(t)
	f := c.file(acme)
	c.want(0, "acme: well, with 0 warnings\n", "lint", "-f", f)
	c.want(0, "acme is at version 1\n", "apply", "-f", f)
	c.want(0, "acme is at version 1, and nothing differs\n", "diff", "-f", f)
	for i, name := range []string{"Ann Lee", "Bo Roe"} {
		p := schemas.SyncContact{Tenant: "acme", PersonID: "p" + string(rune('1'+i)), Status: "active", Fields: []schemas.Field{schemas.Text("first_name", name)},
			Links: []schemas.Link{{Provider: "salesforce", Object: "Lead", ID: "00Q" + string(rune('1'+i))}}, Provenance: &schemas.Provenance{Origin: "dialer"}}
		v, err := c.codec.Append(nil, schemas.TopicSyncContacts, &p)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.cl.ProduceSync(t.Context(), &kgo.Record{Topic: schemas.TopicSyncContacts, Partition: schemas.PartitionOf("acme", 2), Key: []byte("acme/" + p.PersonID), Value: v}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	f = c.file(acme + `mapping:
  contact:
    first_name: {direction: outbound, transform: {custom: "value.split(' ')[0]"}, tests: [{in: Ann Lee, out: Ann}]}
`)
	c.want(0, `acme is at version 1
+ mapping.contact.first_name.direction = "outbound"
+ mapping.contact.first_name.script = "value.split(' ')[0]"
+ mapping.contact.first_name.to = "as the defaults"
+ mapping.contact.first_name.transform = "custom"
salesforce Lead: 2 records of 2 people would be written otherwise, in 1 API call
  p1 00Q1 FirstName: "Ann Lee" → "Ann"
  p2 00Q2 FirstName: "Bo Roe" → "Bo"
`, "preview", "-f", f)
	c.want(0, "acme: 2 examples, 0 of them fail\n", "test", "-f", f)
	c.want(0, "acme is at version 2\n", "apply", "-f", f)
	f = c.file(acme + "country: GB\nmapping:\n  contact:\n    first_name: {transform: phone_e146}\n    title: {direction: inbound, tests: [{in: Head, out: Tail}]}\n")
	c.want(exitInput, `acme.yaml:9:18  unknown transform "phone_e146" for contact.first_name
                         → did you mean phone_e164?
1 mistake, nothing was done
`, "apply", "-f", f)
	f = c.file(acme + "country: GB\nmapping:\n  contact:\n    title: {to: Lead, direction: inbound, tests: [{in: Head, out: Tail}]}\n")
	c.want(exitFound, `acme: 1 examples, 1 of them fail
acme.yaml:9:52  title (salesforce.Lead.Title): "Head" is "Head", expected is "Tail"
crmstream: 1 examples fail
`, "test", "-f", f)
	c.want(exitInput, `acme.yaml:9:52  title (salesforce.Lead.Title): "Head" is "Head", expected is "Tail"
1 mistake, nothing was done
`, "apply", "-f", f)
	c.want(0, "acme is as in version 1, with version 3\n", "rollback", "acme", "--to", "1")
	c.want(0, `version 1  TIME
  + country = "US"
  + crm.salesforce.account = "00D5g000004abcdEAA"
  + crm.salesforce.auth.client_id = "3MVG9"
  + crm.salesforce.auth.flow = "jwt"
  + crm.salesforce.auth.key = "file:/run/secrets/k.pem"
  + crm.salesforce.auth.username = "sync@acme.example"
  + currency = "USD"
  + timezone = "UTC"
version 2  TIME
  + mapping.contact.first_name.direction = "outbound"
  + mapping.contact.first_name.script = "value.split(' ')[0]"
  + mapping.contact.first_name.to = "as the defaults"
  + mapping.contact.first_name.transform = "custom"
version 3  TIME
  - mapping.contact.first_name.direction = "outbound"
  - mapping.contact.first_name.script = "value.split(' ')[0]"
  - mapping.contact.first_name.to = "as the defaults"
  - mapping.contact.first_name.transform = "custom"
`, "history", "acme")
	c.want(exitInput, "crmstream: acme has no version 9: there is nothing to go back to: crmstream tenants history shows the versions\n", "rollback", "acme", "--to", "9")
	c.want(exitInput, "crmstream: acme is at version 3: there is nothing to go back to: crmstream tenants history shows the versions\n", "rollback", "acme", "--to", "3")
	c.want(exitInput, "crmstream: \"beta\": no such tenant: crmstream tenants list shows them\n", "history", "beta")
}
