package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/crmstream/crmstream/pipeline/near"
)

// Decode fills the struct that into points to from the first document in src. The
// error is Mistakes.
func Decode(file string, src []byte, into any) (*Places, error) {
	all, err := parse(file, src)
	if err != nil {
		return &Places{File: file}, err
	}
	if len(all) == 0 {
		return &Places{File: file, at: map[string][2]int{}}, nil
	}
	if len(all) > 1 {
		line, col := position(all[1])
		return &Places{File: file}, Mistakes{{File: file, Line: line, Column: col, What: "a second document", Mend: "one document per file"}}
	}
	return decode(file, all[0], into)
}

// DecodeAll decodes each document of src; fresh returns a new struct to fill for
// each. The error is Mistakes of all documents.
func DecodeAll(file string, src []byte, fresh func() any) ([]*Places, error) {
	all, err := parse(file, src)
	if err != nil {
		return nil, err
	}
	var places []*Places
	var mistakes Mistakes
	for _, doc := range all {
		p, err := decode(file, doc, fresh())
		places = append(places, p)
		if ms := (Mistakes)(nil); errors.As(err, &ms) {
			mistakes = append(mistakes, ms...)
		}
	}
	return places, mistakes.Err()
}

func parse(file string, src []byte) ([]ast.Node, error) {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	if m, ok := unreadable(file, src); ok {
		return nil, Mistakes{m}
	}
	f, err := parser.ParseBytes(src, 0)
	if err != nil {
		m := Mistake{File: file, What: firstLine(err.Error())}
		if tk, ok := err.(interface{ GetToken() *token.Token }); ok && tk.GetToken() != nil {
			m.Line, m.Column = tk.GetToken().Position.Line, tk.GetToken().Position.Column
		}
		if msg, ok := err.(interface{ GetMessage() string }); ok {
			m.What = msg.GetMessage()
		}
		m.What, m.Mend = plainly(m.What)
		return nil, Mistakes{m}
	}
	var docs []ast.Node
	for _, d := range f.Docs {
		if d.Body != nil && d.Body.Type() != ast.NullType && d.Body.Type() != ast.CommentType {
			docs = append(docs, d.Body)
		}
	}
	return docs, nil
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

func decode(file string, doc ast.Node, into any) (*Places, error) {
	d := &decoder{places: &Places{File: file, Source: strings.TrimRight(doc.String(), "\n") + "\n", at: make(map[string][2]int)}}
	d.places.d = d
	d.value(doc, reflect.ValueOf(into).Elem(), "")
	return d.places, d.mistakes.Err()
}

type decoder struct {
	places   *Places
	mistakes Mistakes
}

func position(n ast.Node) (line, column int) {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		return tk.Position.Line, tk.Position.Column
	}
	return 0, 0
}

func (d *decoder) wrong(n ast.Node, mend, format string, args ...any) {
	line, col := position(n)
	d.mistakes = append(d.mistakes, Mistake{File: d.places.File, Line: line, Column: col, What: fmt.Sprintf(format, args...), Mend: mend})
}

var durationType = reflect.TypeFor[time.Duration]()

func (d *decoder) value(n ast.Node, v reflect.Value, path string) {
	if a, ok := n.(*ast.AnchorNode); ok {
		n = a.Value
	}
	if n.Type() == ast.AliasType {
		d.alias(n)
		return
	}
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(Node{node: n, path: path, d: d}))
		return
	}
	if n.Type() == ast.NullType {
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	name := path
	if name == "" {
		name = "the document"
	}
	switch {
	case v.Type() == durationType:
		s, ok := scalar(n)
		dur, err := time.ParseDuration(s)
		if !ok || err != nil {
			d.wrong(n, "a number with a unit, such as 250ms, 5s or 10m", "%s is no duration: %q", name, s)
			return
		}
		v.SetInt(int64(dur))
	case v.Kind() == reflect.Struct:
		d.structure(n, v, path)
	case v.Kind() == reflect.Map:
		pairs, ok := mapping(n)
		if !ok {
			d.wrong(n, "NAME: VALUE", "%s must be a mapping of names", name)
			return
		}
		m := reflect.MakeMap(v.Type())
		for _, p := range pairs {
			key := keyText(p)
			sub := join(path, key)
			d.mark(p, sub)
			elem := reflect.New(v.Type().Elem()).Elem()
			d.value(p.Value, elem, sub)
			if m.MapIndex(reflect.ValueOf(key)).IsValid() {
				d.wrong(p, keepOne, "%s stands here twice", sub)
			}
			m.SetMapIndex(reflect.ValueOf(key), elem)
		}
		v.Set(m)
	case v.Kind() == reflect.Slice:
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			d.wrong(n, "[ONE, OTHER], or one item per line, each behind a dash", "%s must be a list", name)
			return
		}
		s := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
		for i, item := range seq.Values {
			sub := path + "[" + strconv.Itoa(i) + "]"
			d.markAt(item, sub)
			d.value(item, s.Index(i), sub)
		}
		v.Set(s)
	default:
		d.scalar(n, v, name)
	}
}

func (d *decoder) structure(n ast.Node, v reflect.Value, path string) {
	pairs, ok := mapping(n)
	if !ok {
		what := path
		if what == "" {
			what = "the document"
		}
		d.wrong(n, "", "%s must be a mapping of %s", what, strings.Join(fieldNames(v.Type()), ", "))
		return
	}
	seen := make(map[string]bool)
	for _, p := range pairs {
		key := keyText(p)
		sub := join(path, key)
		if key == "<<" {
			d.alias(p)
			continue
		}
		f, ok := fieldNamed(v, key)
		if !ok {
			d.wrong(p, near.DidYouMean(key, fieldNames(v.Type())), "unknown setting %q", sub)
			continue
		}
		if seen[key] {
			d.wrong(p, keepOne, "%s stands here twice", sub)
			continue
		}
		seen[key] = true
		d.mark(p, sub)
		d.value(p.Value, f, sub)
	}
}

func (d *decoder) mark(p *ast.MappingValueNode, path string) {
	d.markAt(p, path)
}

func (d *decoder) markAt(n ast.Node, path string) {
	line, col := position(n)
	d.places.at[path] = [2]int{line, col}
}

func (d *decoder) scalar(n ast.Node, v reflect.Value, name string) {
	s, ok := scalar(n)
	if !ok {
		d.wrong(n, "a text, a number, true or false; in quotes where it has signs, as in \"127.0.0.1:9092\"", "%s must be a single value", name)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			d.wrong(n, "true or false", "%s is neither true nor false: %q", name, s)
			return
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, v.Type().Bits())
		if err != nil {
			d.wrong(n, "a whole number, such as 10", "%s is no whole number: %q", name, s)
			return
		}
		v.SetInt(i)
	case reflect.Float64:
		f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
		if err != nil {
			d.wrong(n, "a number, such as 0.95", "%s is no number: %q", name, s)
			return
		}
		v.SetFloat(f)
	default:
		panic("strictyaml: no decoder for " + v.Type().String())
	}
}

func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func keyText(p *ast.MappingValueNode) string {
	if s, ok := p.Key.(ast.Node); ok {
		if text, ok := scalar(s); ok {
			return text
		}
	}
	return p.Key.String()
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func fieldNamed(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if tag(v.Type().Field(i)) == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if name := tag(t.Field(i)); name != "" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

func tag(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "-" {
		return ""
	}
	return name
}
