package pipetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmstream/crmstream/internal/rewrite"
)

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Run(string(want))
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			if again, err := Run(string(want)); err != nil || again != got {
				t.Errorf("the same script gave something else the second time (P9): %s, %v", cmp.Diff(got, again), err)
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
