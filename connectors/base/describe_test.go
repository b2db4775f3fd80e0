package base

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// A description never outgrows a record: it loses lists of values, then fields that are
// not mapped, and says so.
func TestADescriptionIsBounded(t *testing.T) {
	p := &profile.Profile{Provider: "crm", Objects: []profile.Object{{Name: "Lead", Mappings: []profile.Mapping{{Dialer: "title", CRM: "F0799"}}}}}
	a := &Account{Config: schemas.Account{Settings: []schemas.Field{schemas.Text("columns.Lead", "F0500,>F0501:number")}}, provider: "crm"}
	a.Env.Now = time.Now
	at := a.New(&schemas.Attempt{ID: "0-1"}, time.Now(), nil)
	describe := func(fields, values, length int) *schemas.Reference {
		var fs []schemas.DescribedField
		for i := range fields {
			f := schemas.DescribedField{Name: fmt.Sprintf("F%04d", fields-1-i), Label: strings.Repeat("l", 200), Type: "picklist", Kind: schemas.FieldChoice}
			for v := range values {
				f.Values = append(f.Values, fmt.Sprint(v, strings.Repeat("v", length)))
			}
			fs = append(fs, f)
		}
		return at.Describe(a, p, "Lead", fs).Reference
	}
	size := func(r *schemas.Reference) (n int) {
		for i := range r.Described {
			n += sizeOf(&r.Described[i])
		}
		return n
	}
	r := describe(10, 3, 5)
	if f := r.Described[0]; f.Name != "F0000" || len(f.Values) != 3 || f.MoreValues || len([]rune(f.Label)) != labelMost || r.Left != 0 {
		t.Errorf("a small one: %+v, %d left out", f, r.Left)
	}
	r = describe(1, 150, 5)
	if f := r.Described[0]; len(f.Values) != valuesMost || !f.MoreValues {
		t.Errorf("many values: %d, more=%v", len(f.Values), f.MoreValues)
	}
	r = describe(1, 3, 300)
	if f := r.Described[0]; len(f.Values) != 0 || !f.MoreValues {
		t.Errorf("long values: %d, more=%v", len(f.Values), f.MoreValues)
	}
	r = describe(800, 100, 200)
	if r.Left != 0 || size(r) > describedMost || len(r.Described) != 800 {
		t.Errorf("with long lists: %d bytes, %d fields, %d left out", size(r), len(r.Described), r.Left)
	}
	for _, name := range []int{500, 501, 799} {
		if f := r.Described[name]; len(f.Values) != 100 || f.MoreValues {
			t.Errorf("the mapped %s lost its values: %d", f.Name, len(f.Values))
		}
	}
	r = describe(20_000, 0, 0)
	names := ""
	for _, f := range r.Described {
		names += f.Name + " "
	}
	if int(r.Left)+len(r.Described) != 20_000 || r.Left == 0 || size(r) > describedMost || !strings.Contains(names, "F0799 ") || !strings.Contains(names, "F0501 ") {
		t.Errorf("with many fields: %d bytes, %d fields, %d left out", size(r), len(r.Described), r.Left)
	}
}
