package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

const root = "../.."

var (
	row    = regexp.MustCompile(`(?m)^\| ([PB]\d+) \|.*\|.*\|(.*)\|$`)
	quoted = regexp.MustCompile("`([^`]+)`")
)

// The table stands for the code and the page as they are: each text is there once, what
// comes of it is Go, each promise has mutants, and they are judged by the tests that the
// page names for it, by all of them.
func TestTableFitsCodeAndPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/promises.md"))
	if err != nil {
		t.Fatal(err)
	}
	type named struct {
		promise string
		test    test
	}
	idle := make(map[named]bool) // named on the page, and no mutant is judged by it
	promises := make(map[string]int)
	for _, r := range row.FindAllStringSubmatch(string(page), -1) {
		promises[r[1]] = 0
		for _, q := range quoted.FindAllStringSubmatch(r[2], -1) {
			idle[named{r[1], test(q[1])}] = true
		}
	}
	behaviours := 0
	for p := range promises {
		if p[0] == 'B' {
			behaviours++
		}
	}
	if n := len(promises) - behaviours; n != 12 {
		t.Fatalf("the page has %d promises", n)
	}
	onPage := make(map[named]bool, len(idle))
	for n := range idle {
		onPage[n] = true
	}
	what := make(map[string]bool)
	for _, m := range mutants() {
		promises[m.promise]++
		name := m.promise + " " + m.what
		if what[name] {
			t.Errorf("%s: two mutants of one name", name)
		}
		what[name] = true
		src, err := os.ReadFile(filepath.Join(root, m.file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, err := m.mutated(string(src))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), m.file, out, parser.SkipObjectResolution); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !onPage[named{m.promise, m.by}] {
			t.Errorf("%s is judged by %s, which docs/promises.md does not name for it", name, m.by)
		}
		delete(idle, named{m.promise, m.by})
	}
	for p, n := range promises {
		if want := map[byte]int{'P': 3, 'B': 2}[p[0]]; n < want {
			t.Errorf("%s has %d mutants, want at least %d", p, n, want)
		}
	}
	for n := range idle {
		t.Errorf("docs/promises.md names %s for %s, and no mutant is judged by it", n.test, n.promise)
	}
}

// A mutation is of one place, exactly.
func TestMutated(t *testing.T) {
	m := mutant{file: "x.go", old: "a < b", new: "a <= b && time.Now().IsZero()", also: "time"}
	got, err := m.mutated("package x\n\nimport \"os\"\n\nvar y = a < b\n")
	if want := "package x\n\nimport \"time\"\n\nimport \"os\"\n\nvar y = a <= b && time.Now().IsZero()\n"; err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	for _, src := range []string{"package x", "a < b, a < b"} {
		if _, err := m.mutated(src); err == nil {
			t.Errorf("%q was mutated", src)
		}
	}
}
