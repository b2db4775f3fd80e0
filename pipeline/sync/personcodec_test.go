package sync

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

func anyPerson(t *rapid.T) *person {
	text := rapid.StringN(0, 12, -1)
	optional := rapid.Ptr(text, true)
	fields := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) schemas.Field {
		return schemas.Field{Name: text.Draw(t, "name"), Value: optional.Draw(t, "value")}
	}), 0, 3)
	return &person{
		ID: text.Draw(t, "id"), ContactID: optional.Draw(t, "contact"), DNC: rapid.Bool().Draw(t, "dnc"), DNCAt: rapid.Int64().Draw(t, "at"), DNCFrom: text.Draw(t, "from"), DNCRef: text.Draw(t, "ref"), Status: text.Draw(t, "status"),
		Fields: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) fieldValue {
			return fieldValue{text.Draw(t, "name"), optional.Draw(t, "value"), rapid.Int64().Draw(t, "at"), text.Draw(t, "from"), text.Draw(t, "ref")}
		}), 0, 5).Draw(t, "fields"),
		Links: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) link {
			return link{text.Draw(t, "provider"), text.Draw(t, "object"), text.Draw(t, "id"), fields.Draw(t, "known"), fields.Draw(t, "wanted"),
				fields.Draw(t, "refused"), text.Draw(t, "account"), rapid.Bool().Draw(t, "deleted"), rapid.Int64().Draw(t, "revision"), rapid.Int64().Draw(t, "generation"), rapid.Int64().Draw(t, "whole"), fields.Draw(t, "warnings"),
				rapid.SliceOfN(rapid.Custom(func(t *rapid.T) sentValue {
					return sentValue{text.Draw(t, "name"), optional.Draw(t, "value"), rapid.Int64().Draw(t, "until"), rapid.Bool().Draw(t, "landed"), optional.Draw(t, "before")}
				}), 0, 2).Draw(t, "sent"), rapid.Bool().Draw(t, "out"), fields.Draw(t, "scope"), rapid.Int64().Draw(t, "scope at"), text.Draw(t, "row"), rapid.Int64().Draw(t, "row since")}
		}), 0, 3).Draw(t, "links"),
		Past: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) past {
			return past{text.Draw(t, "field"), rapid.Int64().Draw(t, "dialer"), rapid.Int64().Draw(t, "CRM")}
		}), 0, 3).Draw(t, "past"),
		Disputes: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) dispute {
			return dispute{text.Draw(t, "field"), rapid.Int64().Draw(t, "undone"), rapid.Int64().Draw(t, "opened"), text.Draw(t, "kind"), optional.Draw(t, "value"),
				rapid.Int64().Draw(t, "at"), text.Draw(t, "from"), text.Draw(t, "ref"), schemas.Link{Provider: text.Draw(t, "provider"), Object: text.Draw(t, "object"), ID: text.Draw(t, "id")}}
		}), 0, 2).Draw(t, "disputes"),
	}
}

// The fast codec writes what the general one does, byte for byte, and reads it alike.
func TestBothCodecsOfAPersonAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyPerson(t)
		b := persons.Marshal(p)
		if got := encodePerson(p); !bytes.Equal(got, b) {
			t.Fatalf("%x is written, the general codec writes %x", got, b)
		}
		var fast, general person
		if err := errors.Join(decodePerson(b, &fast), persons.Unmarshal(b, &general)); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(general, fast, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

// Bytes that are cut off or changed end in an error or in a person, and never in a
// panic or in memory without bound.
func FuzzDecodePerson(f *testing.F) {
	v := "v"
	f.Add(persons.Marshal(&person{ID: "p1", Fields: []fieldValue{{Name: "n", Value: &v}}, Links: []link{{ID: "l", Known: []schemas.Field{{Name: "k"}}}}}))
	f.Add([]byte{1, 2})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p person
		if err := decodePerson(b, &p); err != nil && !errors.Is(err, pipeline.ErrCorrupt) {
			t.Fatal(err)
		}
	})
}
