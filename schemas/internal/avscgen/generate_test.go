package main

import (
	"encoding/json"
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
	all := map[string]record{"R": {name: "R", doc: "R is one.", fields: []field{{name: "a", typ: "string"}}}}
	_, err := build(all, all["R"], make(map[string]bool), true)
	if err == nil || !strings.Contains(err.Error(), "R.a") {
		t.Errorf("got %v, want an error that names R.a", err)
	}
}

func TestAMapIsRefused(t *testing.T) {
	all := map[string]record{"R": {name: "R", doc: "R is one.", fields: []field{{name: "a", typ: "*ast.MapType", doc: "named values"}}}}
	if _, err := build(all, all["R"], make(map[string]bool), true); err == nil {
		t.Error("a map was taken: its encoding is not deterministic (P9)")
	}
}

func TestWhatACommentAndATagSay(t *testing.T) {
	def, none := "", "0"
	for name, tt := range map[string]struct {
		field field
		want  string
	}{
		"personal":     {field{name: "a", typ: "string", doc: "a number. Personal data."}, `{"name":"a","type":"string","doc":"A number. Personal data.","personal":true}`},
		"not personal": {field{name: "a", typ: "string", doc: "personal data. Or not"}, `{"name":"a","type":"string","doc":"Personal data. Or not."}`},
		"an instant":   {field{name: "a", typ: "int64", doc: "in ms since 1970 UTC"}, `{"name":"a","type":{"logicalType":"timestamp-millis","type":"long"},"doc":"In ms since 1970 UTC."}`},
		"a length":     {field{name: "a", typ: "int64", doc: "in milliseconds"}, `{"name":"a","type":"long","doc":"In milliseconds."}`},
		"a number's":   {field{name: "a", typ: "int32", doc: "a number", def: &none}, `{"name":"a","type":"int","default":0,"doc":"A number."}`},
		"a default":    {field{name: "a", typ: "string", doc: "a text", def: &def}, `{"name":"a","type":"string","default":"","doc":"A text."}`},
	} {
		all := map[string]record{"R": {name: "R", doc: "R is one.", fields: []field{tt.field}}}
		s, err := build(all, all["R"], make(map[string]bool), true)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := json.Marshal(s.(schema).Fields[0])
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, tt.want)
		}
	}
}

// A record inside another has a default if each of its fields has one; it stands there
// whole.
func TestTheDefaultOfARecord(t *testing.T) {
	def := "x"
	inner := record{name: "I", doc: "I is inside.", fields: []field{
		{name: "a", typ: "string", doc: "a text", def: &def}, {name: "b", typ: "*int32", doc: "a number"},
		{name: "c", typ: "[]string", doc: "texts"}, {name: "d", typ: "bool", doc: "a truth"}}}
	outer := record{name: "O", doc: "O is outside.", fields: []field{{name: "i", typ: "I", doc: "what is inside"}}}
	of := func() string {
		all := map[string]record{"I": inner, "O": outer}
		s, err := build(all, outer, make(map[string]bool), true)
		if err != nil {
			t.Fatal(err)
		}
		return string(s.(schema).Fields[0].Default)
	}
	if got, want := of(), `{"a":"x","b":null,"c":[],"d":false}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	inner.fields[0].def = nil
	if got := of(); got != "" {
		t.Errorf("a field has no default, the record has %s", got)
	}
}
