package run

import (
	"strings"
	"testing"
)

// Each setting that costs something is said once, with its value, its cost and what is
// recommended; what is well is not mentioned.
func TestAdvise(t *testing.T) {
	onlyFake(t, "it needs a broker with the default settings")
	h := newHarness(t)
	lines, err := Advise(h.ctx(), h.cl)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(lines, "\n")
	for _, a := range advices {
		if n := strings.Count(all, a.key); n > 1 {
			t.Errorf("%s is said %d times", a.key, n)
		}
	}
	if !strings.Contains(all, "transaction.max.timeout.ms=900000: ") || !strings.Contains(all, "15m0s (recommended: 60000)") {
		t.Errorf("of transaction.max.timeout.ms nothing is said: %q", lines)
	}
	for _, a := range advices {
		if got := a.cost(a.most + 1); !strings.Contains(got, ms(a.most+1)) {
			t.Errorf("%s: the cost %q does not name the value", a.key, got)
		}
	}
}
