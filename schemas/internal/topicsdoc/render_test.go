package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/crmstream/crmstream/schemas"
)

// The page says what the code does.
func TestThePageIsFresh(t *testing.T) {
	want, err := Render()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../../docs/topics.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("docs/topics.md is stale: run go generate ./schemas/...")
	}
}

// Every topic is there, and every link leads somewhere.
func TestThePageIsWhole(t *testing.T) {
	b, err := Render()
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	headings := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^###? (.*)$`).FindAllStringSubmatch(page, -1) {
		if headings[anchor(m[1])] {
			t.Errorf("two headings %q: a link would lead to the wrong one", m[1])
		}
		headings[anchor(m[1])] = true
	}
	for _, topic := range schemas.Topics() {
		if !headings[anchor(topic.Name)] {
			t.Errorf("%s has no heading", topic.Name)
		}
	}
	for _, m := range regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(page, -1) {
		if !headings[m[1]] {
			t.Errorf("a link to #%s leads nowhere", m[1])
		}
	}
	for _, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(line, "| ") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") < 4 {
			t.Errorf("a broken row: %s", line)
		}
	}
}

func TestTypesInWords(t *testing.T) {
	for avro, want := range map[string]string{
		`"string"`: "string",
		`["null", {"type": "long", "logicalType": "timestamp-millis"}]`:                               "instant or null",
		`{"type": "array", "items": {"type": "record", "name": "Link", "doc": "One.", "fields": []}}`: "list of [Link](#link)",
		`{"type": "array", "items": ["null", "int"]}`:                                                 "list of int or null",
		`["string", "int"]`: "",
		`{"type": "long", "logicalType": "timestamp-micros"}`: "",
		`{"type": {"type": "int"}}`:                           "",
		``:                                                    "",
	} {
		r := &renderer{records: make(map[string]node)}
		got, err := r.typeText(json.RawMessage(avro))
		if (err != nil) != (want == "") || err == nil && got != want {
			t.Errorf("%s: %q, %v; want %q", avro, got, err, want)
		}
	}
}
