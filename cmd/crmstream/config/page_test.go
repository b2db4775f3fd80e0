package config

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmstream/crmstream/cmd/crmstream/strictyaml"
	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/pipeline/mapping"
)

var block = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// pageHead stands before the page's blocks that have no tenant of their own: it is the
// page's first block, without its comments.
const pageHead = `tenant: acme
crm:
  salesforce:
    account: 00D5g000004abcdEAA
    auth: {flow: jwt, username: sync@acme.example, client_id: 3MVG9, key: "file:/run/secrets/acme.pem"}
`

const pageTwo = `  hubspot:
    account: "4242"
    auth: {flow: token, token: "env:ACME_TOKEN"}
`

// Every block of the page is read as it stands there, fits the schema, and its examples
// hold; the mistakes are those that the page shows.
func TestThePage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	mistakes, docs, ran := "", 0, 0
	for _, m := range block.FindAllStringSubmatch(string(page), -1) {
		kind, text := m[1], m[2]
		doc := text
		switch {
		case strings.Contains(text, "hubspot.contacts"):
			doc = pageHead + pageTwo + text
		case !strings.HasPrefix(text, "tenant:"):
			doc = pageHead + text
		}
		read, err := Documents("acme.yaml", []byte(doc), map[string]string{"sandbox": "http://127.0.0.1:1"}, all.Providers())
		switch kind {
		case "mistake":
			mistakes = err.Error()
		case "text":
			if d := cmp.Diff(strings.TrimSpace(text), mistakes); d != "" {
				t.Errorf("the mistakes are others (- on the page, + said):\n%s", d)
			}
		case "yaml":
			if err != nil {
				var ms strictyaml.Mistakes
				t.Errorf("%v (%v) in\n%s", err, errors.As(err, &ms), doc)
				continue
			}
			docs++
			if errs := validate(t, doc); len(errs) > 0 {
				t.Errorf("the schema refuses %v in\n%s", errs, doc)
			}
			failed, n := RunTests(&read[0], all.Providers())
			ran += n
			if len(failed) > 0 {
				t.Errorf("%v in\n%s", failed, doc)
			}
		}
	}
	if mistakes == "" || docs < 8 || ran < 15 {
		t.Errorf("%d documents and %d examples were judged, mistakes %q", docs, ran, mistakes)
	}
}

// The page's tables name every transform.
func TestThePageNamesEveryTransform(t *testing.T) {
	page, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range mapping.Transforms {
		if !strings.Contains(string(page), "\n| `"+name+"` |") {
			t.Errorf("the table of transforms lacks %s", name)
		}
	}
}
