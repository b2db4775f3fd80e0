package main

import (
	"os"
	"strings"
	"testing"
)

// The test binary is also the child that show starts.
func TestMain(m *testing.M) {
	if mode := os.Getenv(childVar); mode != "" {
		child(mode)
	}
	os.Exit(m.Run())
}

// What the page says of both libraries is still so.
func TestThePageIsTrue(t *testing.T) {
	var out strings.Builder
	if err := show(&out); err != nil {
		t.Fatalf("%v:\n%s", err, out.String())
	}
	t.Log("\n" + out.String())
	if canLimit && !strings.Contains(out.String(), "the process is gone") {
		t.Errorf("no process ended:\n%s", out.String())
	}
}
