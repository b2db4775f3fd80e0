package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
)

// travelling is every record that is the value of a topic.
var travelling = []string{
	"TenantConfig", "ControlAction", "AttemptResult", "CRMChange", "ContactChange", "DialerEvent", "CallEvent",
	"SyncContact", "SyncAccount", "SyncOpportunity", "SyncCall", "SyncRecord", "SyncConflict", "SyncHealth",
	"FieldChange", "Attempt", "DeadLetter", "JournalEntry",
}

// personalMark ends the comment of a field that holds, or may hold, personal data;
// the text then has the property "personal".
const personalMark = "Personal data."

// instantMark stands in the comment of every instant; a length of time has
// "milliseconds" or "seconds" and is a plain number.
const instantMark = "ms since 1970 UTC"

type field struct {
	name, typ, doc string
	def            *string // of the tag "default", for a text or a number
}

type record struct {
	name, doc string
	fields    []field
}

type schema struct {
	Type      string  `json:"type"`
	Name      string  `json:"name"`
	Namespace string  `json:"namespace,omitempty"`
	Doc       string  `json:"doc"`
	Fields    []avroF `json:"fields"`
}

type avroF struct {
	Name    string          `json:"name"`
	Type    any             `json:"type"`
	Default json.RawMessage `json:"default,omitempty"`
	Doc     string          `json:"doc"`
	// Personal is a property of ours; Avro passes over those that it does not know.
	Personal bool `json:"personal,omitempty"`
}

// Generate returns the text of each travelling record's schema, by record name.
func Generate(dir string) (map[string]string, error) {
	records, err := parse(dir)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string)
	for _, name := range travelling {
		r, ok := records[name]
		if !ok {
			return nil, fmt.Errorf("no type %s", name)
		}
		s, err := build(records, r, make(map[string]bool), true)
		if err != nil {
			return nil, err
		}
		text, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			return nil, err
		}
		out[name] = string(text) + "\n"
	}
	return out, nil
}

func build(all map[string]record, r record, defined map[string]bool, top bool) (any, error) {
	if defined[r.name] {
		return r.name, nil
	}
	defined[r.name] = true
	s := schema{Type: "record", Name: r.name, Doc: r.doc}
	if top {
		s.Namespace = "io.crmstream"
	}
	for _, f := range r.fields {
		t, def, err := avroType(all, f, defined)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", r.name, f.name, err)
		}
		doc := f.doc
		if doc == "" {
			return nil, fmt.Errorf("%s.%s has no comment: say what it is", r.name, f.name)
		}
		doc = strings.ToUpper(doc[:1]) + doc[1:]
		if !strings.HasSuffix(doc, ".") {
			doc += "."
		}
		s.Fields = append(s.Fields, avroF{f.name, t, def, doc, strings.HasSuffix(doc, personalMark)})
	}
	return s, nil
}

func avroType(all map[string]record, f field, defined map[string]bool) (any, json.RawMessage, error) {
	if elem, ok := strings.CutPrefix(f.typ, "*"); ok {
		t, _, err := avroType(all, field{typ: elem, doc: f.doc}, defined)
		return []any{"null", t}, json.RawMessage("null"), err
	}
	if f.typ == "[]byte" {
		return "bytes", nil, nil
	}
	if elem, ok := strings.CutPrefix(f.typ, "[]"); ok {
		t, _, err := avroType(all, field{typ: elem}, defined)
		return map[string]any{"type": "array", "items": t}, json.RawMessage("[]"), err
	}
	switch f.typ {
	case "string":
		if f.def == nil {
			return "string", nil, nil
		}
		def, err := json.Marshal(*f.def)
		return "string", def, err
	case "bool":
		return "boolean", json.RawMessage("false"), nil
	case "int32":
		return "int", number(f.def), nil
	case "float64":
		return "double", number(f.def), nil
	case "int64":
		if strings.Contains(f.doc, instantMark) {
			return map[string]string{"type": "long", "logicalType": "timestamp-millis"}, number(f.def), nil
		}
		return "long", number(f.def), nil
	}
	r, ok := all[f.typ]
	if !ok {
		return nil, nil, fmt.Errorf("no Avro type for %s", f.typ)
	}
	t, err := build(all, r, defined, false)
	if err != nil {
		return nil, nil, err
	}
	def, err := whole(all, r)
	return t, def, err
}

func number(def *string) json.RawMessage {
	if def == nil {
		return nil
	}
	return json.RawMessage(*def)
}

// whole is the default of a record: each field's, all of them written out, since not
// every reader fills in those that are left out. nil if one has none.
func whole(all map[string]record, r record) (json.RawMessage, error) {
	var b bytes.Buffer
	for i, f := range r.fields {
		if f.typ == r.name {
			return nil, nil
		}
		_, def, err := avroType(all, f, make(map[string]bool))
		if err != nil || def == nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", f.name, def)
	}
	return json.RawMessage("{" + b.String() + "}"), nil
}

func parse(dir string) (map[string]record, error) {
	pkgs, err := parser.ParseDir(token.NewFileSet(), dir, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	records := make(map[string]record)
	for _, f := range pkgs["schemas"].Files {
		for _, d := range f.Decls {
			gd, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gd.Specs {
				ts, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				st, ok := ts.Type.(*ast.StructType)
				if !ok {
					continue
				}
				r := record{name: ts.Name.Name, doc: flat(gd.Doc.Text())}
				for _, fl := range st.Fields.List {
					if fl.Tag == nil {
						continue
					}
					raw, err := strconv.Unquote(fl.Tag.Value)
					if err != nil {
						return nil, err
					}
					tag := reflect.StructTag(raw)
					f := field{name: tag.Get("avro"), typ: typeText(fl.Type), doc: comment(fl)}
					if def, ok := tag.Lookup("default"); ok {
						f.def = &def
					}
					r.fields = append(r.fields, f)
				}
				records[r.name] = r
			}
		}
	}
	return records, nil
}

func comment(f *ast.Field) string {
	if t := flat(f.Comment.Text()); t != "" {
		return t
	}
	return flat(f.Doc.Text())
}

func flat(s string) string { return strings.Join(strings.Fields(s), " ") }

func typeText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return "*" + typeText(e.X)
	case *ast.ArrayType:
		return "[]" + typeText(e.Elt)
	}
	return fmt.Sprintf("%T", e)
}
