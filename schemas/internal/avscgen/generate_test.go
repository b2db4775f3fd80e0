package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/crmstream/crmstream/schemas"
)

// A change of a type or of a comment changes its file in the same commit.
func TestFilesAreFresh(t *testing.T) {
	files, err := Generate("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("../../avsc", name+".avsc"))
		if err != nil {
			t.Error(err)
		} else if string(got) != want {
			t.Errorf("avsc/%s.avsc is stale: run go generate ./schemas", name)
		}
	}
}

// The generator's list is the catalogue's.
func TestEveryTopicHasItsRecord(t *testing.T) {
	for _, topic := range schemas.Topics() {
		if topic.Record != "" && !slices.Contains(travelling, topic.Record) {
			t.Errorf("%s is the record of %s and is not generated", topic.Record, topic.Name)
		}
	}
}

func TestAFieldWithoutAWordIsRefused(t *testing.T) {
	all := map[string]record{"R": {name: "R", doc: "R is one.", fields: []field{{"a", "string", ""}}}}
	_, err := build(all, all["R"], make(map[string]bool), true)
	if err == nil || !strings.Contains(err.Error(), "R.a") {
		t.Errorf("got %v, want an error that names R.a", err)
	}
}

func TestAMapIsRefused(t *testing.T) {
	all := map[string]record{"R": {name: "R", doc: "R is one.", fields: []field{{"a", "*ast.MapType", "named values"}}}}
	if _, err := build(all, all["R"], make(map[string]bool), true); err == nil {
		t.Error("a map was taken: its encoding is not deterministic (P9)")
	}
}
