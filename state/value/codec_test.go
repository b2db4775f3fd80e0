package value

import (
	"reflect"
	"testing"
)

type sub struct {
	Name string `avro:"name"`
}
type sample struct {
	A string   `avro:"a"`
	B int64    `avro:"b"`
	C *string  `avro:"c"`
	D []sub    `avro:"d"`
	E bool     `avro:"e"`
	F *float64 `avro:"f"`
	G *sub     `avro:"g"`
}

func TestRoundTrip(t *testing.T) {
	c := New[sample]("sample")
	s, f := "x", 1.5
	in := sample{A: "a", B: -7, C: &s, D: []sub{{"n"}}, E: true, F: &f, G: &sub{"g"}}
	b := c.Marshal(&in)
	var out sample
	if err := c.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(in, out) {
		t.Errorf("got %+v, want %+v", out, in)
	}
}

func TestUnknownVersionIsRefused(t *testing.T) {
	c := New[sample]("sample")
	b := c.Marshal(&sample{})
	b[0] = 9
	if err := c.Unmarshal(b, new(sample)); err == nil {
		t.Error("a version that nobody knows was read")
	}
	if err := c.Unmarshal(nil, new(sample)); err == nil {
		t.Error("nothing was read as something")
	}
	if err := c.Unmarshal(append(c.Marshal(&sample{}), 0), new(sample)); err == nil {
		t.Error("a byte too many was passed over")
	}
}
