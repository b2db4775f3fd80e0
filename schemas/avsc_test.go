package schemas_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/crmstream/crmstream/schemas"
)

// node is one type in an .avsc file, as far as our files go.
type node struct {
	Type        any       `json:"type"`
	Name        string    `json:"name"`
	Namespace   string    `json:"namespace"`
	Doc         string    `json:"doc"`
	Fields      []avroFld `json:"fields"`
	Items       any       `json:"items"`
	LogicalType string    `json:"logicalType"`
}

type avroFld struct {
	Name     string          `json:"name"`
	Type     any             `json:"type"`
	Doc      string          `json:"doc"`
	Default  json.RawMessage `json:"default"`
	Personal bool            `json:"personal"`
}

// travelling returns the name of every record that is the value of a topic.
func travelling() []string {
	var names []string
	seen := make(map[string]bool)
	for _, t := range schemas.Topics() {
		if t.Record != "" && !seen[t.Record] {
			seen[t.Record] = true
			names = append(names, t.Record)
		}
	}
	return names
}

// Go type and text are one: same fields, same order, same types. A field that only
// one side has would be lost without a word.
func TestTypeAndTextAgree(t *testing.T) {
	for _, record := range travelling() {
		t.Run(record, func(t *testing.T) {
			text, ok := schemas.AVSC(record)
			v := schemas.New(record)
			if !ok || v == nil {
				t.Fatalf("%s: schema present %v, type present %v: want both", record, ok, v != nil)
			}
			c := &checker{t: t, named: make(map[string]reflect.Type)}
			var n any
			if err := json.Unmarshal([]byte(text), &n); err != nil {
				t.Fatal(err)
			}
			if got := parse(t, n).Namespace; got != "io.crmstream" {
				t.Errorf("namespace %q", got)
			}
			c.check(record, n, reflect.TypeOf(v).Elem())
		})
	}
}

// A file that no topic carries is dead, or a topic is missing.
func TestEveryFileTravels(t *testing.T) {
	want := make(map[string]bool)
	for _, r := range travelling() {
		want[r+".avsc"] = true
	}
	files, err := os.ReadDir("avsc")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !want[f.Name()] {
			t.Errorf("avsc/%s is the record of no topic", f.Name())
		}
		delete(want, f.Name())
	}
	for name := range want {
		t.Errorf("avsc/%s is missing", name)
	}
}

// Unknown names are said to be unknown.
func TestNoSuchRecord(t *testing.T) {
	if text, ok := schemas.AVSC("Nobody"); ok {
		t.Errorf("AVSC(Nobody) = %q", text)
	}
	if v := schemas.New("Nobody"); v != nil {
		t.Errorf("New(Nobody) = %T", v)
	}
}

func parse(t *testing.T, v any) node {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var n node
	if err := json.Unmarshal(b, &n); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return n
}

type checker struct {
	t     *testing.T
	named map[string]reflect.Type // records that the file has defined
}

// check compares one Avro type with one Go type. at is the path for messages, its
// last element the field's name.
func (c *checker) check(at string, avroType any, typ reflect.Type) {
	c.t.Helper()
	switch a := avroType.(type) {
	case []any:
		if len(a) != 2 || a[0] != "null" {
			c.t.Errorf("%s: union %v: only [null, T] is read alike by all clients", at, a)
			return
		}
		if typ.Kind() != reflect.Pointer {
			c.t.Errorf("%s: nullable in Avro, %s in Go: null and zero would be one", at, typ)
			return
		}
		c.check(at, a[1], typ.Elem())
	case string:
		if rec, ok := c.named[a]; ok {
			if rec != typ {
				c.t.Errorf("%s: Avro %s is %s, Go has %s", at, a, rec, typ)
			}
			return
		}
		c.primitive(at, a, "", typ)
	case map[string]any:
		n := parse(c.t, a)
		switch n.Type {
		case "record":
			c.record(at, n, typ)
		case "array":
			if typ.Kind() != reflect.Slice {
				c.t.Errorf("%s: array in Avro, %s in Go", at, typ)
				return
			}
			c.check(at, n.Items, typ.Elem())
		case "map":
			c.t.Errorf("%s: a map has no one encoding: P9 would fail", at)
		default:
			c.primitive(at, n.Type, n.LogicalType, typ)
		}
	}
}

func (c *checker) record(at string, n node, typ reflect.Type) {
	c.t.Helper()
	if typ.Kind() != reflect.Struct || typ.Name() != n.Name {
		c.t.Errorf("%s: record %s in Avro, %s in Go", at, n.Name, typ)
		return
	}
	if n.Doc == "" {
		c.t.Errorf("%s: the record %s has no doc", at, n.Name)
	}
	c.named[n.Name] = typ
	if len(n.Fields) != typ.NumField() {
		c.t.Errorf("%s: %d fields in Avro, %d in Go", at, len(n.Fields), typ.NumField())
		return
	}
	for i, f := range n.Fields {
		sf := typ.Field(i)
		path := at + "." + f.Name
		if tag := sf.Tag.Get("avro"); tag != f.Name {
			c.t.Errorf("%s: field %d is %q in Go", path, i, tag)
			continue
		}
		if why := docLacks(f); why != "" {
			c.t.Errorf("%s: doc %q: %s", path, f.Doc, why)
		}
		if sf.Type.Kind() == reflect.Pointer && string(f.Default) != "null" {
			c.t.Errorf("%s: nullable without the default null: a producer could not leave it out", path)
		}
		c.check(path, f.Type, sf.Type)
	}
}

// goKinds is what each Avro primitive is in Go.
var goKinds = map[string]reflect.Kind{
	"string": reflect.String, "boolean": reflect.Bool, "int": reflect.Int32, "long": reflect.Int64, "double": reflect.Float64,
}

func (c *checker) primitive(at string, name any, logical string, typ reflect.Type) {
	c.t.Helper()
	if name == "bytes" {
		if typ != reflect.TypeFor[[]byte]() {
			c.t.Errorf("%s: bytes in Avro, %s in Go", at, typ)
		}
		return
	}
	s, _ := name.(string)
	if want, ok := goKinds[s]; !ok || typ.Kind() != want {
		c.t.Errorf("%s: %v in Avro, %s in Go", at, name, typ)
		return
	}
	if s != "long" {
		return
	}
	want := ""
	if isInstant(at[strings.LastIndexByte(at, '.')+1:]) {
		want = "timestamp-millis"
	}
	if logical != want {
		c.t.Errorf("%s: logical type %q, by its name it is %q: foreign clients would see a wrong kind of value", at, logical, want)
	}
}

// isInstant tells by its name whether a long is an instant; so it is judged apart
// from the comment that the generator goes by.
func isInstant(name string) bool {
	switch name {
	case "at", "leave_by", "over_by", "event_time":
		return true
	}
	return strings.HasSuffix(name, "_at")
}
