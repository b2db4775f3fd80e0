package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// testTimeout bounds one test; those that wait for something that a mutant keeps from
// coming give up by themselves after half a minute.
const testTimeout = 60 * time.Second

// mutant is one line of code that breaks a promise.
type mutant struct {
	promise string // P1 to P12, or a behaviour: B6
	what    string // is broken, in words
	file    string // from the module's root
	old     string // stands in file exactly once
	new     string // stands there instead
	also    string // a package that new needs imported
	by      test   // that must fail
}

// test is a test as docs/promises.md names it: "package: Test", or "package: x.txt"
// for a script.
type test string

func (t test) split() (pkg, name string) {
	pkg, name, _ = strings.Cut(string(t), ": ")
	return pkg, name
}

// pattern is what -test.run takes.
func (t test) pattern() string {
	_, name := t.split()
	if script, ok := strings.CutSuffix(name, ".txt"); ok {
		return "^TestScripts$/^" + script + "$"
	}
	return "^" + name + "$"
}

// full is the name by which the test says how it ended.
func (t test) full() string {
	_, name := t.split()
	if script, ok := strings.CutSuffix(name, ".txt"); ok {
		return "TestScripts/" + script
	}
	return name
}

// mutated returns the file's text with the mutation in it.
func (m *mutant) mutated(src string) (string, error) {
	if n := strings.Count(src, m.old); n != 1 {
		return "", fmt.Errorf("the text to replace stands %d times in %s, want once:\n%s", n, m.file, m.old)
	}
	out := strings.Replace(src, m.old, m.new, 1)
	if m.also != "" {
		out = strings.Replace(out, "\nimport ", "\nimport "+strconv.Quote(m.also)+"\n\nimport ", 1)
	}
	return out, nil
}

// outcome says how a mutant ended.
type outcome string

const (
	killed   outcome = "killed"
	survived outcome = "SURVIVED"
	broken   outcome = "NOT BUILT"      // or its text is gone
	crashed  outcome = "ENDED ITS TEST" // by a panic or a timeout, which shows nothing of the promise
)

type verdict struct {
	m       mutant
	outcome outcome
	took    time.Duration // of the test
	said    []byte
}

// String is the line of a mutant.
func (v verdict) String() string {
	line := fmt.Sprintf("%-4s %-8s %s", v.m.promise, v.outcome, v.m.what)
	if v.outcome == killed {
		line += fmt.Sprintf(" (%s, %.1f s)", v.m.by, v.took.Seconds())
	}
	return line
}

// lab builds and runs tests, with and without a mutant.
type lab struct {
	root string // of the module
	dir  string // for what is built
}

// unmutated runs each test that a mutant names once, on the code as it is.
func (l *lab) unmutated(ctx context.Context, ms []mutant, parallel int) error {
	byPackage := make(map[string][]test)
	seen := make(map[test]bool)
	var pkgs []string
	for _, m := range ms {
		if seen[m.by] {
			continue
		}
		seen[m.by] = true
		pkg, _ := m.by.split()
		if byPackage[pkg] == nil {
			pkgs = append(pkgs, pkg)
		}
		byPackage[pkg] = append(byPackage[pkg], m.by)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, parallel))
	for i, pkg := range pkgs {
		g.Go(func() error {
			bin := filepath.Join(l.dir, fmt.Sprintf("as-it-is-%d.test", i))
			if said, err := l.build(ctx, pkg, bin, ""); err != nil {
				return fmt.Errorf("building the tests of %s: %w\n%s", pkg, err, said)
			}
			defer os.Remove(bin)
			for _, t := range byPackage[pkg] {
				said, err := l.run(ctx, bin, t)
				if err != nil || !bytes.Contains(said, []byte("--- PASS: "+t.full()+" ")) {
					return fmt.Errorf("%s does not pass on the code as it is: %w\n%s", t, errors.Join(err, errors.New("no mutant can be judged by it")), said)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	fmt.Printf("%d tests pass on the code as it is\n", len(seen))
	return nil
}

// try builds a mutant and runs its test.
func (l *lab) try(ctx context.Context, n int, m mutant) verdict {
	v := verdict{m: m, outcome: broken}
	overlay, err := l.overlay(n, &m)
	if err != nil {
		v.said = []byte(err.Error())
		return v
	}
	pkg, _ := m.by.split()
	bin := filepath.Join(l.dir, fmt.Sprintf("%d.test", n))
	defer os.Remove(bin)
	if v.said, err = l.build(ctx, pkg, bin, overlay); err != nil {
		return v
	}
	began := time.Now()
	v.said, err = l.run(ctx, bin, m.by)
	v.took = time.Since(began)
	switch {
	case err == nil:
		v.outcome = survived
	case bytes.Contains(v.said, []byte("\npanic: ")), !bytes.Contains(v.said, []byte("--- FAIL: "+m.by.full()+" ")):
		v.outcome = crashed
	default:
		v.outcome = killed
	}
	return v
}

// overlay writes the mutated file and says to the compiler where it is.
func (l *lab) overlay(n int, m *mutant) (string, error) {
	file := filepath.Join(l.root, filepath.FromSlash(m.file))
	src, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	out, err := m.mutated(string(src))
	if err != nil {
		return "", err
	}
	mutated := filepath.Join(l.dir, fmt.Sprintf("%d.go", n))
	if err := os.WriteFile(mutated, []byte(out), 0o600); err != nil {
		return "", err
	}
	j, err := json.Marshal(map[string]map[string]string{"Replace": {file: mutated}})
	if err != nil {
		return "", err
	}
	name := filepath.Join(l.dir, fmt.Sprintf("%d.json", n))
	return name, os.WriteFile(name, j, 0o600)
}

// build makes the test binary of a package, with an overlay or "".
func (l *lab) build(ctx context.Context, pkg, bin, overlay string) ([]byte, error) {
	args := []string{"test", "-c", "-ldflags=-s -w", "-o", bin}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+pkg)...)
	cmd.Dir = l.root
	return cmd.CombinedOutput()
}

// run runs one test as `go test` would, in its package's folder.
func (l *lab) run(ctx context.Context, bin string, t test) ([]byte, error) {
	pkg, _ := t.split()
	dir := filepath.Join(l.root, filepath.FromSlash(pkg))
	args := []string{"-test.run", t.pattern(), "-test.count=1", "-test.v", "-test.paniconexit0", "-test.timeout", testTimeout.String()}
	if drawn, err := drawsCases(dir); err != nil {
		return nil, err
	} else if drawn {
		args = append(args, "-rapid.nofailfile") // else what broke a mutant is kept beside the test, for ever
	}
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	return cmd.CombinedOutput()
}

// drawsCases reports whether a package's tests use rapid, whose flags only they know.
func drawsCases(dir string) (bool, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return false, err
	}
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			return false, err
		}
		if bytes.Contains(src, []byte(`"pgregory.net/rapid"`)) {
			return true, nil
		}
	}
	return false, nil
}
