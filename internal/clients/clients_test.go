package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/crmstream/crmstream/schemas"
)

// docs/clients.md says what expect.go says: `go run ./internal/clients -table` prints
// its table.
func TestTheDocumentHasTheTable(t *testing.T) {
	b, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "<!-- go run ./internal/clients -table -->\n\n")
	got, _, whole := strings.Cut(rest, "\n<!-- end -->")
	if !ok || !whole {
		t.Fatal("docs/clients.md has lost the marks around its table")
	}
	if want := expectedTable(); got != want {
		t.Errorf("docs/clients.md has\n%s\nbut expect.go says\n%s", got, want)
	}
}

// A misspelt name in the table of expectations would expect nothing of anybody.
func TestExpectationsAreOfStepsAndClients(t *testing.T) {
	for _, table := range []map[string]map[string]expectation{expected, elsewhere} {
		for name, of := range table {
			if !slices.ContainsFunc(clients, func(c client) bool { return c.name == name }) {
				t.Errorf("no client %q", name)
			}
			for s := range of {
				if !slices.ContainsFunc(steps, func(have step) bool { return have.name == s }) {
					t.Errorf("%s: no step %q", name, s)
				}
			}
		}
	}
}

// Each program has the steps that are expected of it, no more and no fewer: one that
// it lacks would only show in a run.
func TestProgramsHaveTheirSteps(t *testing.T) {
	for name, source := range map[string]struct{ file, step string }{
		"python":  {"programs/python/client.py", `(?m)^@step\("([a-z0-9-]+)"\)`},
		"java":    {"programs/java/Client.java", `steps\.put\("([a-z0-9-]+)"`},
		"kafkajs": {"programs/kafkajs/client.js", `(?m)^  async '?([a-z0-9-]+)'?\(\) \{`},
		"kcat":    {"kcat.go", `(?m)^\t\t\{"([a-z0-9-]+)", `},
	} {
		b, err := os.ReadFile(source.file)
		if err != nil {
			t.Fatal(err)
		}
		have := []string{"read-back"} // the lane's
		for _, m := range regexp.MustCompile(source.step).FindAllStringSubmatch(string(b), -1) {
			have = append(have, m[1])
		}
		for _, s := range steps {
			if wanted := expect(name, s.name, true).word != ""; wanted != slices.Contains(have, s.name) {
				t.Errorf("%s: step %q is expected: %v, and has code: %v", name, s.name, wanted, !wanted)
			}
		}
		for _, s := range have {
			if !slices.ContainsFunc(steps, func(have step) bool { return have.name == s }) {
				t.Errorf("%s: step %q is no row of the table", name, s)
			}
		}
	}
}

func TestParse(t *testing.T) {
	for line, want := range map[string]result{
		"ok group: 60 records":            {"group", true, "60 records"},
		"ok fencing:":                     {"fencing", true, ""},
		"failed read: Error: 0 of 3: why": {"read", false, "Error: 0 of 3: why"},
		"okay group: x":                   {},
		"ok no step at all: x":            {},
		"":                                {},
		"ok group":                        {},
	} {
		if got, ok := parse(line); got != want || ok != (want.step != "") {
			t.Errorf("%q: %+v, %v", line, got, ok)
		}
	}
}

// The verdict: what fails against the table makes the status 1, also a step that was
// never reached; what is expected to fail does not.
func TestVerdict(t *testing.T) {
	all := func(c string, but map[string]bool) report {
		r := report{client: c}
		for _, s := range steps {
			ok, said := but[s.name]
			if !said {
				ok = expect(c, s.name, true).word == "yes"
			}
			if expect(c, s.name, true).word != "" {
				r.results = append(r.results, result{s.name, ok, "detail"})
			}
		}
		return r
	}
	short := all("java", nil)
	short.results, short.ended = short.results[:3], "exit status 1"
	for name, c := range map[string]struct {
		reports []report
		status  int
	}{
		"as expected":                {[]report{all("java", nil), all("kcat", nil)}, 0},
		"one fails":                  {[]report{all("java", map[string]bool{"group": false})}, 1},
		"better than expected":       {[]report{all("kcat", map[string]bool{"read": true})}, 0},
		"it ended early":             {[]report{short}, 1},
		"one is skipped":             {[]report{all("java", nil), {client: "kcat", skipped: "no kcat"}}, 0},
		"all are skipped":            {[]report{{client: "kcat", skipped: "no kcat"}}, 3},
		"nothing at all was printed": {[]report{{client: "python"}}, 1},
	} {
		if got := verdict(c.reports, true); got != c.status {
			t.Errorf("%s: status %d, want %d", name, got, c.status)
		}
	}
}

// On another broker other things are expected.
func TestElsewhere(t *testing.T) {
	if e := expect("java", "admin-quorum", true); e.word != "no" || e.why == "" {
		t.Errorf("embedded: %+v", e)
	}
	if e := expect("java", "admin-quorum", false); e.word != "yes" {
		t.Errorf("elsewhere: %+v", e)
	}
}

func TestChoose(t *testing.T) {
	if got, err := choose("kafkajs,kcat"); err != nil || len(got) != 2 || got[0].name != "kafkajs" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := choose("kafkajs,sarama"); err == nil || !strings.Contains(err.Error(), `"sarama": there are kcat, python`) {
		t.Errorf("%v", err)
	}
}

func TestCheckAddresses(t *testing.T) {
	for _, c := range []struct{ brokers, registry, wrong string }{
		{"", "", ""}, {"a:1,b:2", "https://r/apis", ""},
		{"a", "http://r", "-brokers"}, {"a:1,", "http://r", "-brokers"}, {"a:1", "r:8081", "-registry"}, {"a:1", "http://", "-registry"},
	} {
		err := checkAddresses(c.brokers, c.registry)
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%q, %q: %v", c.brokers, c.registry, err)
		}
	}
}

// A machine without the tools is told what to install, in one line.
func TestWithoutTools(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, c := range clients {
		_, err := c.prepare(t.Context())
		if err == nil || !strings.Contains(err.Error(), "apt-get install") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	said := "a line\nbroker     127.0.0.1:1\nregistry   http://127.0.0.1:2\nmore\n"
	if got := addresses(bufio.NewScanner(strings.NewReader(said))); got != (target{"127.0.0.1:1", "http://127.0.0.1:2"}) {
		t.Errorf("%+v", got)
	}
}

// A client's word is not enough: each tenant's call must be there, whole and in place.
func TestInPlace(t *testing.T) {
	l := &lane{tenants: map[string]int32{"acme": 3, "globex": 1}}
	call := func() *schemas.CallEvent {
		ended, length := int64(100_000), int32(90)
		return &schemas.CallEvent{ToNumber: "+14155551234", StartedAt: 10_000, EndedAt: &ended, DurationSeconds: &length}
	}
	good := func() []landed { return []landed{{call(), "acme", 3}, {call(), "globex", 1}} }
	if err := l.inPlace(good()); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(f []landed) []landed{
		"one is missing":       func(f []landed) []landed { return f[:1] },
		"one twice, one not":   func(f []landed) []landed { f[1] = f[0]; return f },
		"in another partition": func(f []landed) []landed { f[0].partition = 1; return f },
		"with another number":  func(f []landed) []landed { f[0].call.ToNumber = "+1"; return f },
		"with a wrong instant": func(f []landed) []landed { f[1].call.StartedAt = 10; return f },
		"without its duration": func(f []landed) []landed { f[1].call.DurationSeconds = nil; return f },
	} {
		if l.inPlace(spoil(good())) == nil {
			t.Errorf("%s: it passes", name)
		}
	}
}

// kcat's partitions are read from its log.
func TestAssigned(t *testing.T) {
	for log, want := range map[string]int{
		"": 0,
		"% Group g rebalanced (memberid m): assigned: t [0], t [1], t [2]\n":                                                    3,
		"% Group g rebalanced (memberid m): assigned: t [0], t [1]\n% Group g rebalanced (memberid m): revoked: t [0], t [1]\n": 0,
		"% Group g rebalanced: incremental assignment of 6 partition(s) (memberid m, COOPERATIVE rebalance protocol): t [0]\n% Group g rebalanced: incremental revoke of 3 partition(s) (memberid m, COOPERATIVE rebalance protocol): t\n": 3,
	} {
		if got := (&member{log: []byte(log)}).assigned(); got != want {
			t.Errorf("%d, want %d: %q", got, want, log)
		}
	}
}

func TestCachedIsWholeOrNotThere(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	tries := 0
	fetch := func(err error) (string, error) {
		return cached(t.Context(), "kafkajs", "package.json", func(_ context.Context, dir string) error {
			tries++
			return errors.Join(err, os.WriteFile(dir+"/x", nil, 0o600))
		})
	}
	if _, err := fetch(errors.New("no network")); err == nil || !strings.Contains(err.Error(), "no network") {
		t.Errorf("%v", err)
	}
	for range 2 {
		dir, err := fetch(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir + "/x"); err != nil {
			t.Error(err)
		}
	}
	if tries != 2 {
		t.Errorf("fetched %d times: a whole folder is used again, half of one is not", tries)
	}
}
