package house

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	row    = regexp.MustCompile(`(?m)^\| ([PB]\d+) \|(.*)\|(.*)\|(.*)\|$`)
	quoted = regexp.MustCompile("`([^`]+)`")
)

// The tables of promises and of behaviours and the code agree: each place names its promise, each test
// or script is there.
func TestPromisesAreKeptWhereTheTableSays(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/promises.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := row.FindAllStringSubmatch(string(page), -1)
	if n := len(slices.DeleteFunc(slices.Clone(rows), func(r []string) bool { return r[1][0] == 'B' })); n != 12 {
		t.Errorf("%d promises, want 12", n)
	}
	for _, r := range rows {
		promise, places, tests := r[1], quoted.FindAllStringSubmatch(r[3], -1), quoted.FindAllStringSubmatch(r[4], -1)
		if len(places) == 0 || len(tests) == 0 {
			t.Errorf("%s names no place or no test", promise)
		}
		for _, p := range places {
			src, err := os.ReadFile(filepath.Join(root, p[1]))
			if err != nil {
				t.Errorf("%s: %v", promise, err)
			} else if !regexp.MustCompile(`//.*\b` + promise + `\b`).Match(src) {
				t.Errorf("%s: no comment in %s names it", promise, p[1])
			}
		}
		for _, ts := range tests {
			pkg, name, ok := strings.Cut(ts[1], ": ")
			if !ok {
				t.Errorf("%s: %q is not `package: test`", promise, ts[1])
				continue
			}
			if strings.HasSuffix(name, ".txt") {
				if _, err := os.Stat(filepath.Join(root, pkg, "testdata", name)); err != nil {
					t.Errorf("%s: %v", promise, err)
				}
				continue
			}
			if !hasTest(t, pkg, name) {
				t.Errorf("%s: there is no %s in %s", promise, name, pkg)
			}
		}
	}
}

func hasTest(t *testing.T, pkg, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(src), "func "+name+"(") {
			return true
		}
	}
	return false
}
