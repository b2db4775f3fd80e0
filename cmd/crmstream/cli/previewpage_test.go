package cli

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/internal/rewrite"
	"github.com/crmstream/crmstream/schemas"
)

const operatingPage = "../../../docs/operating.md"

// previewed is a file on the page, and what preview says of it.
var previewed = regexp.MustCompile("(?ms)^```yaml\n(.*?)```\n```\n\\$ crmstream tenants preview -f acme\\.yaml\n.*?```\n")

// The previews in docs/operating.md are those that the program makes for three people.
func TestThePreviewsOnThePage(t *testing.T) {
	c := newCluster(t)
	c.want(0, "acme is at version 1\n", "apply", "-f", c.file(acme))
	for i, p := range []struct{ first, last, title, object string }{{"Ann", "Lee", "Buyer", "Lead"}, {"Bo", "Roe", "Head of Sales", "Lead"}, {"Cy", "Kim", "", "Contact"}} {
		n := string(rune('1' + i))
		v, err := c.codec.Append(nil, schemas.TopicSyncContacts, &schemas.SyncContact{Tenant: "acme", PersonID: "p" + n, Status: "active",
			Fields: []schemas.Field{schemas.Text("first_name", p.first), schemas.Text("last_name", p.last), schemas.Text("nickname", p.first+"ie"), schemas.Text("title", p.title)},
			Links:  []schemas.Link{{Provider: "salesforce", Object: p.object, ID: map[string]string{"Lead": "00Q", "Contact": "003"}[p.object] + n}}, Provenance: &schemas.Provenance{Origin: "dialer"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.cl.ProduceSync(t.Context(), &kgo.Record{Topic: schemas.TopicSyncContacts, Partition: schemas.PartitionOf("acme", 2), Key: []byte("acme/p" + n), Value: v}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	src, err := os.ReadFile(operatingPage)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	got := previewed.ReplaceAllStringFunc(string(src), func(block string) string {
		asked++
		file := previewed.FindStringSubmatch(block)[1]
		status, said := c.say("preview", "-f", c.file(acme+file))
		if status != 0 {
			t.Errorf("preview of\n%s\nsays %s", file, said)
		}
		return "```yaml\n" + file + "```\n```\n$ crmstream tenants preview -f acme.yaml\n" + said + "```\n"
	})
	if asked < 5 {
		t.Errorf("%d previews on the page, want at least five", asked)
	}
	if rewrite.On() {
		if err := os.WriteFile(operatingPage, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(src), got); d != "" {
		t.Errorf("docs/operating.md (- on the page, + said; renew with go test ./cmd/crmstream/cli -run Page -rewrite):\n%s", d)
	}
}
