package sync

import (
	"strconv"
	"testing"
)

// While a CRM is away a field may change as often as it likes: a person stays small.
func TestFormerValuesAreFew(t *testing.T) {
	l := &link{}
	other := "x"
	l.keep(sentValue{Name: "Phone", Value: &other})
	for i := range 1000 {
		v := strconv.Itoa(i)
		l.keep(sentValue{Name: "Title", Value: &v})
	}
	if len(l.Sent) != 1+sentMost || l.Sent[0].Name != "Phone" || *l.Sent[1].Value != strconv.Itoa(1000-sentMost) || *l.Sent[sentMost].Value != "999" {
		t.Errorf("%d values are kept of a field that changed 1000 times", len(l.Sent)-1)
	}
}
