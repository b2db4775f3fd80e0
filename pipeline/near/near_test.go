package near

import (
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	known := []string{"first_name", "phone", "mobile_phone", "title"}
	for got, want := range map[string]string{
		"phnoe": "phone", "Phone": "phone", "frist_name": "first_name", "titel": "title", "mobilephone": "mobile_phone",
		"": "", "x": "", "company": "", strings.Repeat("phone", 50): "",
	} {
		if is := Name(got, known); is != want {
			t.Errorf("Name(%q) = %q, want %q", got, is, want)
		}
	}
	if is := DidYouMean("company", known[:2]); is != "known here: first_name, phone" {
		t.Error(is)
	}
	if is := DidYouMean("fone", known); is != "did you mean phone?" {
		t.Error(is)
	}
}
