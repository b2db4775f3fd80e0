package strictyaml

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// Node is a part of a document that may have more than one form. A struct's field of
// this type takes anything; whoever knows the form reads it by the methods, which add
// what is wrong to the document's mistakes. The zero Node is one that is not there.
type Node struct {
	node ast.Node
	path string
	d    *decoder
}

var nodeType = reflect.TypeFor[Node]()

// There reports whether it stands in the document, and is not null.
func (n Node) There() bool { return n.node != nil && n.node.Type() != ast.NullType }

// Path is where it stands, as Places has it.
func (n Node) Path() string { return n.path }

// Text is its value if it is a single one.
func (n Node) Text() (string, bool) {
	if n.node == nil {
		return "", false
	}
	return scalar(n.node)
}

// Number is its value if it is a number.
func (n Node) Number() (float64, bool) {
	s, ok := n.Text()
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// List are its items; ok is false if it is no list.
func (n Node) List() (items []Node, ok bool) {
	seq, ok := n.node.(*ast.SequenceNode)
	if !ok {
		return nil, false
	}
	for i, item := range seq.Values {
		sub := n.path + "[" + strconv.Itoa(i) + "]"
		n.d.markAt(item, sub)
		items = append(items, n.at(item, sub))
	}
	return items, true
}

// Pair is one entry of a mapping.
type Pair struct {
	Key string
	Node
}

// Pairs are its entries in their order; ok is false if it is no mapping. A key that
// stands twice is a mistake.
func (n Node) Pairs() (pairs []Pair, ok bool) {
	if n.node == nil {
		return nil, false
	}
	values, ok := mapping(n.node)
	seen := make(map[string]bool)
	for _, p := range values {
		key := keyText(p)
		sub := join(n.path, key)
		n.d.mark(p, sub)
		if seen[key] {
			n.d.wrong(p, keepOne, "%s stands here twice", sub)
			continue
		}
		seen[key] = true
		pairs = append(pairs, Pair{key, n.at(p.Value, sub)})
	}
	return pairs, ok
}

func (n Node) at(node ast.Node, path string) Node {
	if a, ok := node.(*ast.AnchorNode); ok {
		node = a.Value
	}
	if node.Type() == ast.AliasType {
		n.d.alias(node)
		node = nil
	}
	return Node{node, path, n.d}
}

// Decode fills what into points to, as the document's own decoder would.
func (n Node) Decode(into any) {
	if n.node != nil {
		n.d.value(n.node, reflect.ValueOf(into).Elem(), n.path)
	}
}

// Wrong adds a mistake about it. Of one that is not there nothing is to be said.
func (n Node) Wrong(mend, format string, args ...any) {
	if n.d != nil && n.node != nil {
		n.d.wrong(n.node, mend, format, args...)
	}
}

// Mistake is a mistake about it that is not added to the document's.
func (n Node) Mistake(mend, format string, args ...any) Mistake {
	m := Mistake{What: fmt.Sprintf(format, args...), Mend: mend}
	if n.d != nil {
		m.File = n.d.places.File
		m.Line, m.Column = position(n.node)
	}
	return m
}

// Mistakes are those of the document so far, the ones that were found while its Nodes
// were read among them.
func (p *Places) Mistakes() Mistakes {
	if p.d == nil {
		return nil
	}
	return p.d.mistakes
}
