package mapping_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

func person(names ...string) []profile.Mapping {
	ms := []profile.Mapping{
		{Dialer: "email", CRM: names[0], Direction: profile.Bidirectional, Role: profile.Email, MaxLength: 80},
		{Dialer: "phone", CRM: names[1], Direction: profile.Bidirectional, Role: profile.Phone, MaxLength: 40},
		{Dialer: "owner_email", CRM: names[2], Direction: profile.Inbound, Role: profile.Owner},
		{Dialer: "call_count", CRM: names[3], Direction: profile.Outbound, Optional: true},
	}
	for i := range 9 {
		ms = append(ms, profile.Mapping{Dialer: fmt.Sprint("field", i), CRM: fmt.Sprint(names[4], i), Direction: profile.Bidirectional, MaxLength: 255})
	}
	return ms
}

func profiles() []*profile.Profile {
	sf := person("Email", "Phone", "OwnerId", "Count__c", "Field")
	return []*profile.Profile{
		{Provider: "sf", Activity: profile.Activity{Object: "Task"}, Objects: []profile.Object{{Name: "Contact", Mappings: sf}, {Name: "Lead", Mappings: sf, Rank: 1}}},
		{Provider: "hs", Activity: profile.Activity{Object: "calls"}, Objects: []profile.Object{{Name: "contacts", Mappings: person("email", "phone", "owner", "num_calls", "field")}}},
	}
}

func utc(name string) *time.Location {
	if name == "UTC" {
		return time.UTC
	}
	return nil
}

func compile(t testing.TB, ms ...schemas.FieldMapping) *mapping.Compiled {
	t.Helper()
	c, ps := mapping.NewBase(profiles(), utc).Compile(&schemas.TenantConfig{Country: "US", TimeZone: "UTC", Mappings: ms})
	if bad := mapping.Errors(ps); len(bad) > 0 {
		t.Fatal(bad)
	}
	return c
}

func lines(o *mapping.Object) (out []string) {
	for _, l := range o.Lines {
		out = append(out, fmt.Sprintf("%s %s %s %s %d", l.Dialer, l.CRM, l.Direction, l.Transform, l.MaxLength))
	}
	return out
}

// A tenant without a mapping has the defaults, and shares them.
func TestDefaults(t *testing.T) {
	base := mapping.NewBase(profiles(), utc)
	a, _ := base.Compile(&schemas.TenantConfig{})
	b, _ := base.Compile(&schemas.TenantConfig{Country: "GB"})
	if a.Object("sf", "Lead") != b.Object("sf", "Lead") || a.Object("sf", "Lead") == nil {
		t.Error("two tenants with the defaults have lines of their own")
	}
	got := lines(a.Object("sf", "Lead"))
	if want := []string{"email Email bidirectional lowercase 80", "phone Phone bidirectional phone_e164 40", "owner_email OwnerId inbound none 0"}; !slices.Equal(got[:3], want) || len(got) != 12 {
		t.Errorf("%d lines, %q", len(got), got[:3])
	}
	if a.Object("sf", "Deal") != nil || a.Calls("sf") != nil || len(a.Object("sf", "Lead").Extra()) != 0 {
		t.Error("something is there that nobody said")
	}
}

// A line changes what it says, where it says (B33), and nothing else.
func TestOverride(t *testing.T) {
	base := mapping.NewBase(profiles(), utc)
	c, ps := base.Compile(&schemas.TenantConfig{Mappings: []schemas.FieldMapping{
		{Entity: "contact", Field: "call_count", Provider: "sf"},
		{Entity: "contact", Field: "field1", Off: true},
		{Entity: "contact", Field: "field2", Provider: "sf", Object: "Lead", Direction: "inbound"},
		{Entity: "contact", Field: "phone", Provider: "hs", Object: "contacts", CRMField: "work_phone"},
		{Entity: "contact", Field: "second", Provider: "sf", Object: "Lead", CRMField: "Second__c", Transform: "phone_e164"},
	}})
	if bad := mapping.Errors(ps); len(bad) > 0 {
		t.Fatal(bad)
	}
	was, _ := base.Compile(&schemas.TenantConfig{})
	changed := func(provider, object string) []string {
		var out []string
		old, now := lines(was.Object(provider, object)), lines(c.Object(provider, object))
		for _, l := range old {
			if !slices.Contains(now, l) {
				out = append(out, "- "+l)
			}
		}
		for _, l := range now {
			if !slices.Contains(old, l) {
				out = append(out, "+ "+l)
			}
		}
		return out
	}
	for _, tt := range []struct {
		provider, object string
		want             []string
		extra            []string
	}{
		{"sf", "Contact", []string{"- field1 Field1 bidirectional none 255", "+ call_count Count__c outbound none 0"}, nil},
		{"sf", "Lead", []string{"- field1 Field1 bidirectional none 255", "- field2 Field2 bidirectional none 255", "+ field2 Field2 inbound none 255", "+ call_count Count__c outbound none 0",
			"+ second Second__c bidirectional phone_e164 0"}, []string{"Second__c"}},
		{"hs", "contacts", []string{"- phone phone bidirectional phone_e164 40", "- field1 field1 bidirectional none 255", "+ phone work_phone bidirectional phone_e164 0"}, []string{"work_phone"}},
	} {
		if d := cmp.Diff(tt.want, changed(tt.provider, tt.object)); d != "" {
			t.Errorf("%s.%s: %s", tt.provider, tt.object, d)
		}
		if d := cmp.Diff(tt.extra, c.Object(tt.provider, tt.object).Extra()); d != "" {
			t.Errorf("%s.%s, extra: %s", tt.provider, tt.object, d)
		}
	}
	if c.Role("second") != profile.Phone || was.Role("second") != profile.Plain {
		t.Error("a new field of numbers is found by its number, and in no other tenant")
	}
}

// Two lines may look at one field of the CRM, as a first name and a nickname do.
func TestTwoLinesOfOneField(t *testing.T) {
	c := compile(t, schemas.FieldMapping{Entity: "contact", Field: "nick", Provider: "sf", Object: "Lead", CRMField: "Field0", Direction: "inbound", Transform: "lowercase"})
	if !c.Object("sf", "Lead").Shared || c.Object("sf", "Contact").Shared {
		t.Error("shared")
	}
}

func TestConstants(t *testing.T) {
	text := func(s string) *string { return &s }
	c := compile(t,
		schemas.FieldMapping{Entity: "call_activity", Provider: "sf", Object: "Task", CRMField: "Type", Default: text("Call")},
		schemas.FieldMapping{Entity: "call_activity", Field: "score", Provider: "sf", Object: "Task", CRMField: "Score__c"},
		schemas.FieldMapping{Entity: "contact", Field: "source", Provider: "sf", Object: "Lead", CRMField: "LeadSource", Default: text("Dialer")})
	if d := cmp.Diff([]schemas.Field{schemas.Text("Type", "Call")}, c.Calls("sf").Constants()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]schemas.Field{schemas.Text("LeadSource", "Dialer")}, c.Object("sf", "Lead").Constants()); d != "" {
		t.Error(d)
	}
}

// Whoever wrote the record, nothing of it is taken that can't be: the rest is in force.
func TestWhatCantBe(t *testing.T) {
	base := mapping.NewBase(profiles(), utc)
	for name, m := range map[string]schemas.FieldMapping{
		"no field":       {Entity: "contact"},
		"no entity":      {Field: "phone"},
		"unknown CRM":    {Entity: "contact", Field: "phone", Provider: "sap"},
		"unknown object": {Entity: "contact", Field: "phone", Provider: "sf", Object: "Deal"},
		"too long":       {Entity: "contact", Field: "phone", Direction: "inbound", Transform: "custom", Script: strings.Repeat("x", 20_000)},
		"negative":       {Entity: "contact", Field: "phone", MaxLength: -1},
		"unknown kind":   {Entity: "contact", Field: "field1", Kind: "numbr"},
		"both":           {Entity: "contact", Field: "field1", Required: true, ClearsCRM: true},
		"script of none": {Entity: "contact", Field: "field1", Transform: "none", Script: "value"},
		"no name":        {Entity: "contact", Field: "field1", Provider: "sf", Object: "Lead", CRMField: "Name FROM User"},
		"no such zone":   {Entity: "contact", Field: "field1", Transform: "date_iso", Args: []schemas.Field{schemas.Text("zone", "Mars/Olympus")}},
	} {
		c, ps := base.Compile(&schemas.TenantConfig{Mappings: []schemas.FieldMapping{m}})
		bad := mapping.Errors(ps)
		if len(bad) == 0 {
			t.Errorf("%s: nothing is wrong", name)
			continue
		}
		if bad[0].What == "" || bad[0].Mend == "" || bad[0].List != "mappings" || bad[0].Index != 0 {
			t.Errorf("%s: %+v", name, bad[0])
		}
		if n := len(c.Object("sf", "Lead").Lines); n != 12 {
			t.Errorf("%s: %d lines are in force", name, n)
		}
	}
}

// tenant is a configuration with n lines of its own.
func tenant(i, n int) *schemas.TenantConfig {
	c := &schemas.TenantConfig{Tenant: fmt.Sprint("t", i), Version: 1, Country: "US", TimeZone: "UTC", Accounts: []schemas.Account{{Provider: "sf", ID: "o"}}}
	for j := range n {
		m := schemas.FieldMapping{Entity: "contact", Field: fmt.Sprintf("own_%d_%d", i, j), Provider: "sf", Object: []string{"Lead", "Contact"}[j%2], CRMField: fmt.Sprintf("Own_%d_%d__c", i, j)}
		switch j % 4 {
		case 0:
			m.Transform = schemas.TransformPicklist
			for k := range 10 {
				m.Picklist = append(m.Picklist, schemas.PicklistPair{Dialer: fmt.Sprint("value ", k), CRM: fmt.Sprint("VALUE_", k)})
			}
		case 1:
			m.Validations = []schemas.Validation{{Type: "format", Pattern: "^[A-Z]{2}[0-9]{4}$"}, {Type: "enum", Values: []string{"AB1234", "CD5678"}}}
		case 2:
			m.Transform, m.Direction, m.Script = schemas.TransformCustom, "inbound", fmt.Sprintf("value.split(' ')[%d]", i)
		}
		c.Mappings = append(c.Mappings, m)
	}
	return c
}

// 10,000 tenants with twenty lines of their own hold what is in force in less than
// 300 MB.
func TestTenThousandTenantsFit(t *testing.T) {
	if testing.Short() {
		t.Skip("it fills memory")
	}
	base := mapping.NewBase(profiles(), utc)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	kept := make([]*mapping.Compiled, 10_000)
	configs := make([]*schemas.TenantConfig, len(kept))
	for i := range kept {
		configs[i] = tenant(i, 20)
		kept[i], _ = base.Compile(configs[i])
	}
	mb := float64(heap()-before) / (1 << 20)
	t.Logf("%d tenants with 20 lines of their own: %.0f MB with their configurations", len(kept), mb)
	if mb > 300 {
		t.Errorf("%.0f MB", mb)
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(configs)
}

func BenchmarkCompile(b *testing.B) {
	base := mapping.NewBase(profiles(), utc)
	for _, n := range []int{0, 1, 20} {
		c := tenant(1, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				base.Compile(c)
			}
		})
	}
}
