package pipetest_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/internal/rewrite"
	"github.com/crmstream/crmstream/pipeline/pipetest"
	"github.com/crmstream/crmstream/schemas/profile"
)

// peopleOnly is a profile that reads persons and what their records refer to: a script
// about them need not answer for all else.
func peopleOnly(p *profile.Profile) *profile.Profile {
	only := *p
	only.Sources = slices.DeleteFunc(slices.Clone(p.Sources), func(s profile.Source) bool {
		_, person := p.ObjectByName(s.Object)
		return !person && s.Object != "owner" && s.Object != "disposition"
	})
	return &only
}

// What only the profiles of real CRMs decide: their fields, their words for how a call
// ended, what an event becomes.
func TestScriptsOfRealCRMs(t *testing.T) {
	var profiles []*profile.Profile
	for _, p := range all.Providers() {
		profiles = append(profiles, peopleOnly(p.Profile()))
	}
	files, err := filepath.Glob("testdata/real/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got, err := pipetest.RunWith(profiles, string(want))
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			if rewrite.On() {
				if err := os.WriteFile(f, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("%s (- in the file, + came out; renew with go test ./pipeline/pipetest -rewrite):\n%s", f, d)
			}
		})
	}
}
