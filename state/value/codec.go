package value

import (
	"fmt"

	"github.com/twmb/avro"
)

// Version is the version byte that is written.
const Version = 1

// Codec encodes values of one type. It is safe for concurrent use.
type Codec[T any] struct {
	kind   string
	schema *avro.Schema
}

// New returns the codec of T, whose struct tags give the fields. T may hold no map:
// its encoding would not be deterministic (P9). New panics on a type that Avro
// cannot hold: it is called for package variables.
func New[T any](kind string) *Codec[T] {
	s, err := avro.SchemaFor[T]()
	if err != nil {
		panic(fmt.Sprintf("state/value: schema of %s: %v", kind, err))
	}
	return &Codec[T]{kind, s}
}

// Marshal returns v's bytes. It panics if v cannot be encoded, which the type
// excludes but for text that is no UTF-8.
func (c *Codec[T]) Marshal(v *T) []byte {
	b, err := c.schema.AppendEncode(make([]byte, 1, 256), v)
	if err != nil {
		panic(fmt.Sprintf("state/value: encoding %s: %v", c.kind, err))
	}
	b[0] = Version
	return b
}

// Unmarshal fills v from b.
func (c *Codec[T]) Unmarshal(b []byte, v *T) error {
	if len(b) == 0 || b[0] != Version {
		got := -1
		if len(b) > 0 {
			got = int(b[0])
		}
		return fmt.Errorf("reading state of kind %s: version %d, this release reads %d", c.kind, got, Version)
	}
	rest, err := c.schema.Decode(b[1:], v)
	if err != nil {
		return fmt.Errorf("reading state of kind %s: %w", c.kind, err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("reading state of kind %s: %d bytes too many", c.kind, len(rest))
	}
	return nil
}
