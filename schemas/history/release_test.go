package history

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/avro"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
)

var (
	release    = flag.String("release", "", "write the present schemas and samples as this new version, \"v2\"")
	unreleased = flag.Bool("unreleased", false, "with -release: write it again, as it is not released yet")
)

// topicOf maps each record to a topic that carries it.
func topicOf() map[string]string {
	topics := make(map[string]string)
	for _, t := range schemas.Topics() {
		if t.Record != "" {
			topics[t.Record] = t.Name
		}
	}
	return topics
}

// registryOf serves one text under the id 1, whatever is asked for or registered.
func registryOf(t *testing.T, text string) *registry.Codec {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer any = map[string]string{"schema": text}
		if r.Method == http.MethodPost {
			answer = map[string]int{"id": 1}
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(h.Close)
	return registry.NewCodec(h.URL)
}

var header = []byte{0, 0, 0, 0, 1}

// The bytes that a release wrote, kept from its time, say to this release what they
// said then: every value is still there.
func TestBytesOfTheTimeAreRead(t *testing.T) {
	topics := topicOf()
	for _, version := range Versions() {
		samples, err := Samples(version)
		if err != nil {
			t.Fatal(err)
		}
		records, err := Records(version)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 || len(samples) != len(records) {
			t.Errorf("%s: %d schemas, %d samples", version, len(records), len(samples))
		}
		for _, record := range records {
			t.Run(version+"/"+record, func(t *testing.T) {
				topic, ok := topics[record]
				if !ok {
					t.Fatalf("%s was released in %s and no topic carries it: who reads what is kept?", record, version)
				}
				text, err := AVSC(version, record)
				if err != nil {
					t.Fatal(err)
				}
				v, err := registryOf(t, text).Decode(t.Context(), topic, append(header[:5:5], samples[record]...))
				if err != nil {
					t.Fatalf("a %s of %s can't be read: %v", record, version, err)
				}
				j := &judge{t: t, named: make(map[string]avroType)}
				j.check(record, "", json.RawMessage(text), reflect.ValueOf(v))
				if j.seen == 0 {
					t.Error("no value was judged")
				}
			})
		}
	}
}

// The newest release reads what this one writes: in a rolling upgrade both run at
// once, and after a rollback the topics hold what the newer one wrote.
func TestTheNewestReleaseReadsUs(t *testing.T) {
	versions := Versions()
	newest := versions[len(versions)-1]
	records, err := Records(newest)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		old, err := AVSC(newest, record)
		if err != nil {
			t.Fatal(err)
		}
		now, ok := schemas.AVSC(record)
		if !ok {
			t.Errorf("%s was in %s and is gone", record, newest)
			continue
		}
		if why := broken(old, now); why != "" {
			t.Errorf("%s: %s. Mend the change; if %s is not released yet: go test ./schemas/history -run TestRelease -release %s -unreleased", record, why, newest, newest)
		}
	}
}

// broken says why now is no successor of old, "" if it is: each reads the other.
func broken(old, now string) string {
	o, n := avro.MustParse(old), avro.MustParse(now)
	if err := avro.CheckCompatibility(o, n); err != nil {
		return fmt.Sprintf("we can't read what the release wrote: %v", err)
	}
	if err := avro.CheckCompatibility(n, o); err != nil {
		return fmt.Sprintf("the release can't read what we write: %v", err)
	}
	return ""
}

// The check itself sees what breaks a reader, and lets through what does not.
func TestWhatBreaksASuccessor(t *testing.T) {
	text, _ := schemas.AVSC("CallEvent")
	for name, tt := range map[string]struct {
		from, to string
		breaks   bool
	}{
		"nothing":                    {"", "", false},
		"a new field with a default": {`"fields": [`, `"fields": [{"name":"mood","type":["null","string"],"default":null},`, false},
		"a new field without":        {`"fields": [`, `"fields": [{"name":"mood","type":"string"},`, true},
		"a new name":                 {`"name": "call_id"`, `"name": "id"`, true},
		"another type":               {`"int"`, `"string"`, true},
		"a wider type, one way only": {`"int"`, `"long"`, true},
		"a default that went":        {`"default": null,`, ``, false}, // the release writes the field always
		"other words in a doc":       {`"doc": "`, `"doc": "Now: `, false},
	} {
		changed := strings.Replace(text, tt.from, tt.to, 1)
		if tt.from != "" && changed == text {
			t.Errorf("%s: the case changes nothing", name)
		}
		if why := broken(text, changed); (why != "") != tt.breaks {
			t.Errorf("%s: %q, want breaks = %v", name, why, tt.breaks)
		}
	}
}

// A gap would be a release that nobody reads back.
func TestVersionsAreInOrder(t *testing.T) {
	for i, v := range Versions() {
		if v != fmt.Sprintf("v%d", i+1) {
			t.Errorf("version %d is called %s", i+1, v)
		}
	}
	if _, err := AVSC("v1", "Nobody"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a record that never was: %v", err)
	}
}

// With -release, the present schemas become a version.
func TestRelease(t *testing.T) {
	if *release == "" {
		t.Skip("only with -release vN")
	}
	if number(*release) == 0 {
		t.Fatalf("%q is no version: v1, v2, …", *release)
	}
	if err := os.Mkdir(*release, 0o755); err != nil && !(*unreleased && errors.Is(err, fs.ErrExist)) {
		t.Fatalf("a released version is never written again: %v", err)
	}
	var lines []string
	for record, topic := range topicOf() {
		text, _ := schemas.AVSC(record)
		if err := os.WriteFile(filepath.Join(*release, record+".avsc"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c := registryOf(t, text)
		if err := c.Register(t.Context()); err != nil {
			t.Fatal(err)
		}
		v := schemas.New(record)
		fillSample(reflect.ValueOf(v).Elem(), "")
		b, err := c.Append(nil, topic, v)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s %s\n", record, hex.EncodeToString(b[len(header):])))
	}
	slices.Sort(lines)
	if err := os.WriteFile(filepath.Join(*release, samplesFile), []byte(strings.Join(lines, "")), 0o644); err != nil {
		t.Fatal(err)
	}
}
