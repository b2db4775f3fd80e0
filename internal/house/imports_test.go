package house

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/crmstream/crmstream"

// rule says what the packages below From may import of ours. A prefix ending in
// "/..." stands for the package and everything below it. The first rule that
// matches a package is the one that counts.
type rule struct {
	From   string
	May    []string
	Reason string
}

var rules = []rule{
	{"schemas/registry", []string{"schemas"}, "the wire format knows the records and nothing that handles them"},
	{"schemas/history", []string{"schemas", "schemas/registry"}, "released versions are read back by the codec alone"},
	{"schemas/internal/...", []string{"schemas"}, "documentation is made from the catalogue alone"},
	{"schemas/profile", []string{"schemas"}, "a profile is data about records"},
	{"schemas", nil, "what travels depends on nobody who carries it"},
	{"state/...", []string{"state/..."}, "a store keeps bytes: it knows no record, no Kafka, no task"},

	{"pipeline/phone", []string{"schemas"}, "a pure rule knows records only"},
	{"pipeline/activity", []string{"schemas", "schemas/profile"}, "a pure rule knows records and profiles only"},
	{"pipeline/conflict", []string{"schemas"}, "a pure rule knows records only"},
	{"pipeline/identity", []string{"pipeline/phone", "schemas"}, "a pure rule knows records only"},
	{"pipeline/mapping", []string{"pipeline/near", "pipeline/phone", "schemas", "schemas/profile"}, "a pure rule knows records and profiles only"},
	{"pipeline/script", []string{"pipeline/mapping"}, "it runs what a rule asks for, and knows no record"},
	{"pipeline/sync", append(pureRules, "pipeline", "schemas", "schemas/profile", "state", "state/value"), "sync decides; it knows neither how things are sent nor Kafka"},
	{"pipeline/deliver", []string{"pipeline", "schemas", "schemas/profile", "state", "state/value"}, "deliver schedules; it knows neither why a write is wanted nor Kafka"},
	{"pipeline/task", append(pureRules, "pipeline", "pipeline/sync", "pipeline/deliver", "schemas", "schemas/profile", "state", "state/value"), "the task composes the two functions and nothing else"},
	{"pipeline/pipetest", []string{"pipeline/...", "schemas/...", "state/..."}, "scenarios run the task without Kafka"},
	{"pipeline/run/embedded", []string{"schemas", "schemas/registry"}, "the broker knows topics, not what is done with them"},
	{"pipeline/run", []string{"pipeline", "schemas", "schemas/registry", "state", "state/mem"}, "the shell runs any task: it knows no rule and no CRM"},
	{"pipeline", []string{"schemas", "schemas/profile", "state"}, "the contract knows records and state"},

	{"connectors/salesforce/sim", []string{"connectors/simkit"}, "a simulator follows the vendor's documents, never our connector"},
	{"connectors/hubspot/sim", []string{"connectors/simkit"}, "a simulator follows the vendor's documents, never our connector"},
	{"connectors/simkit", nil, "what simulators share knows no CRM and none of our records"},
	{"connectors/rest", []string{"schemas", "connectors"}, "HTTP for every provider, of none"},
	{"connectors/base", []string{"connectors", "connectors/rest", "schemas", "schemas/profile"}, "what is the same for every provider stands once, and knows none"},
	{"connectors/host", []string{"connectors", "schemas", "schemas/profile", "schemas/registry", "pipeline"}, "the host runs any provider: no switch on a name"},
	{"connectors/all", []string{"connectors", "connectors/salesforce", "connectors/hubspot"}, "one line per system"},
	{"connectors/connectortest", []string{"connectors", "connectors/rest", "schemas", "schemas/profile"}, "the suite is the same for every provider"},
	{"connectors/dialer", []string{"schemas"}, "a producer's helpers know records only"},
	{"connectors/salesforce", []string{"connectors", "connectors/base", "connectors/rest", "schemas", "schemas/profile"}, "a provider is a folder of its own"},
	{"connectors/hubspot", []string{"connectors", "connectors/base", "connectors/rest", "schemas", "schemas/profile"}, "a provider is a folder of its own"},
	{"connectors", []string{"schemas", "schemas/profile"}, "the contract knows records and profiles"},

	{"cmd/...", []string{"..."}, "only cmd wires"},
	{"pipeline/near", nil, "it knows names only"},
	{"internal/...", []string{"..."}, "tools of the repository wire as cmd does"},
	{"bench/...", []string{"..."}, "tools of the repository wire as cmd does"},
	{"docs/...", nil, "programs in documents stand alone"},
}

var pureRules = []string{"pipeline/activity", "pipeline/conflict", "pipeline/identity", "pipeline/mapping", "pipeline/phone"}

// core is what must stay pure (P9): same state, same journal, same bytes.
var core = []string{
	"schemas", "schemas/profile", "pipeline", "pipeline/activity", "pipeline/conflict", "pipeline/identity", "pipeline/mapping", "pipeline/near", "pipeline/phone",
	"pipeline/sync", "pipeline/deliver", "pipeline/task",
}

// banned names what a core package may not import, and the way out.
var banned = map[string]string{
	"context":      "the core has nothing to wait for: do it in an effect",
	"log":          "the core logs nothing: emit an output or a dead letter",
	"log/slog":     "the core logs nothing: emit an output or a dead letter",
	"net/http":     "the core does no I/O: do it in an effect",
	"net":          "the core does no I/O: do it in an effect",
	"os":           "the core reads no environment: take it from the configuration record",
	"math/rand":    "the core is deterministic: derive jitter from a hash of the key",
	"crypto/rand":  "the core is deterministic: derive ids from the input",
	"math/rand/v2": "the core is deterministic: derive jitter from a hash of the key",
}

// bannedSync is let through where a cache that can be thrown away is guarded.
var bannedSync = map[string]string{"sync": "the core has no goroutines: one Tx belongs to one caller"}

var mayGuardCaches = map[string]bool{"pipeline/phone": true, "schemas": true}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			t.Fatalf("listing packages: %v: %s", err, ee.Stderr)
		}
		t.Fatalf("listing packages: %v", err)
	}
	var ps []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return ps
		} else if err != nil {
			t.Fatalf("reading package list: %v", err)
		}
		ps = append(ps, p)
	}
}

func matches(pattern, path string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == base || strings.HasPrefix(path, base+"/")
	}
	return path == pattern
}

func ours(path string) (string, bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

// Imports go one way; each ban has its reason.
func TestImportsGoOneWay(t *testing.T) {
	used := make(map[string]bool)
	for _, p := range packages(t) {
		from, _ := ours(p.ImportPath)
		var r *rule
		for i := range rules {
			if matches(rules[i].From, from) {
				r = &rules[i]
				break
			}
		}
		if r == nil {
			t.Errorf("%s has no line in the table of allowed imports: give it one, with its reason", from)
			continue
		}
		used[r.From] = true
	imports:
		for _, imp := range p.Imports {
			to, own := ours(imp)
			if !own {
				continue
			}
			for _, may := range r.May {
				if matches(may, to) {
					continue imports
				}
			}
			t.Errorf("%s imports %s: not allowed, because %s", from, to, r.Reason)
		}
	}
	for _, r := range rules {
		if !used[r.From] {
			t.Errorf("the table names %s, which does not exist (any more)", r.From)
		}
	}
}

// The core has no clock, no goroutines and no I/O (P9).
func TestCoreIsPure(t *testing.T) {
	isCore := make(map[string]bool)
	for _, c := range core {
		isCore[c] = true
	}
	for _, p := range packages(t) {
		from, _ := ours(p.ImportPath)
		if !isCore[from] {
			continue
		}
		for _, imp := range p.Imports {
			if why, bad := banned[imp]; bad {
				t.Errorf("%s imports %s: %s", from, imp, why)
			}
			if why, bad := bannedSync[imp]; bad && !mayGuardCaches[from] {
				t.Errorf("%s imports %s: %s", from, imp, why)
			}
		}
	}
}
