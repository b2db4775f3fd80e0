package history

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
)

// A sample says its own names: a text field holds its name, a number a fixed value,
// a list one item, and nothing is null. So what was written long ago can be judged
// without the types of that time.
const (
	sampleInt    = 7
	sampleLong   = 1700000000123
	sampleDouble = 0.5
)

// fillSample makes v, a field called name, a sample.
func fillSample(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fillSample(v.Field(i), v.Type().Field(i).Tag.Get("avro"))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillSample(v.Elem(), name)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(name))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillSample(v.Index(0), name)
	case reflect.String:
		v.SetString(name)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32:
		v.SetInt(sampleInt)
	case reflect.Int64:
		v.SetInt(sampleLong)
	case reflect.Float64:
		v.SetFloat(sampleDouble)
	default:
		panic(fmt.Sprintf("no sample for %s, a %s", name, v.Type()))
	}
}

type avroField struct {
	Name string          `json:"name"`
	Type json.RawMessage `json:"type"`
}

type avroType struct {
	Type   json.RawMessage `json:"type"`
	Name   string          `json:"name"`
	Fields []avroField     `json:"fields"`
	Items  json.RawMessage `json:"items"`
}

// judge walks a released schema and says where got, read by today's types, is no
// sample. Fields that today's types no longer have are passed over; those that are
// new were not written.
type judge struct {
	t     *testing.T
	named map[string]avroType
	seen  int // values judged
}

func (j *judge) check(at, name string, raw json.RawMessage, got reflect.Value) {
	j.t.Helper()
	if got.Kind() == reflect.Pointer {
		if got.IsNil() {
			j.t.Errorf("%s is null now, and was written", at)
			return
		}
		got = got.Elem()
	}
	var branches []json.RawMessage
	if json.Unmarshal(raw, &branches) == nil {
		raw = branches[1]
	}
	var n avroType
	var ref string
	if json.Unmarshal(raw, &ref) == nil {
		n = j.named[ref] // zero for a primitive
	} else if err := json.Unmarshal(raw, &n); err != nil {
		j.t.Fatalf("%s: %s: %v", at, raw, err)
	}
	switch {
	case n.Fields != nil:
		j.named[n.Name] = n
		for _, f := range n.Fields {
			if i := fieldOf(got.Type(), f.Name); i >= 0 {
				j.check(at+"."+f.Name, f.Name, f.Type, got.Field(i))
			}
		}
	case n.Items != nil:
		if got.Len() != 1 {
			j.t.Errorf("%s has %d items now, 1 was written", at, got.Len())
			return
		}
		j.check(at+"[0]", name, n.Items, got.Index(0))
	default:
		j.seen++
		want := reflect.New(got.Type()).Elem()
		fillSample(want, name)
		if !reflect.DeepEqual(got.Interface(), want.Interface()) {
			j.t.Errorf("%s is %v now, %v was written", at, got, want)
		}
	}
}

func fieldOf(t reflect.Type, name string) int {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("avro") == name {
			return i
		}
	}
	return -1
}
