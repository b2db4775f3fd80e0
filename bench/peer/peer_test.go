package main

import (
	"fmt"
	"strings"
	"testing"
)

// A machine without java is told so in one line, with status 3.
func TestWithoutJava(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := build(t.Context())
	if status(err) != 3 || strings.Contains(fmt.Sprint(err), "\n") || !strings.Contains(fmt.Sprint(err), "java") {
		t.Errorf("status %d: %v", status(err), err)
	}
}

// Speeds of programs that do not do the same are not compared.
func TestSameWork(t *testing.T) {
	for _, c := range []struct {
		name          string
		ours, streams map[int32][]string
		same          int
		wrong         string
	}{
		{"equal as far as both went", map[int32][]string{0: {"a", "b"}, 1: {"c"}}, map[int32][]string{0: {"a"}, 1: {"c", "d"}}, 2, ""},
		{"another contact", map[int32][]string{0: {"a", "b"}}, map[int32][]string{0: {"a", "x"}}, 0, "contact 1 of partition 0"},
		{"nothing to compare", map[int32][]string{0: {"a"}}, map[int32][]string{1: {"a"}}, 0, "nothing in the same partition"},
	} {
		b := &bench{results: []result{{Kind: raw}, {Kind: crmstream, heads: c.ours}, {Kind: streams, Name: "Streams", heads: c.streams}}}
		same, err := b.sameWork()
		if same != c.same || (c.wrong == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %d, %v", c.name, same, err)
		}
	}
}
