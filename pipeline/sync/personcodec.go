package sync

import (
	"encoding/binary"
	"fmt"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state/value"
)

// Every merge reads and writes a person. The bytes are Avro's, as persons has them; that
// both agree is tested. The general decoder makes five allocations a field, and that is
// most of a merge: here all texts are parts of one copy.

// encodePerson returns the bytes of p.
func encodePerson(p *person) []byte {
	b := append(make([]byte, 0, 256+64*len(p.Fields)), value.Version)
	b = appendText(b, p.ID)
	if n := len(p.Fields); n > 0 {
		b = binary.AppendVarint(b, int64(n))
		for i := range p.Fields {
			f := &p.Fields[i]
			b = appendOptional(appendText(b, f.Name), f.Value)
			b = appendText(appendText(binary.AppendVarint(b, f.At), f.From), f.Ref)
		}
	}
	b = append(b, 0)
	if n := len(p.Links); n > 0 {
		b = binary.AppendVarint(b, int64(n))
		for i := range p.Links {
			l := &p.Links[i]
			b = appendText(appendText(appendText(b, l.Provider), l.Object), l.ID)
			b = appendFields(appendFields(appendFields(b, l.Known), l.Wanted), l.Refused)
			b = appendBool(appendText(b, l.Account), l.Deleted)
			b = binary.AppendVarint(binary.AppendVarint(binary.AppendVarint(b, l.Revision), l.Generation), l.Whole)
			b = appendFields(b, l.Warnings)
			if n := len(l.Sent); n > 0 {
				b = binary.AppendVarint(b, int64(n))
				for k := range l.Sent {
					b = appendSent(b, &l.Sent[k])
				}
			}
			b = appendBool(append(b, 0), l.Out)
			b = binary.AppendVarint(appendFields(b, l.Scope), l.ScopeAt)
			b = binary.AppendVarint(appendText(b, l.Row), l.RowSince)
		}
	}
	b = append(b, 0)
	b = appendBool(appendOptional(b, p.ContactID), p.DNC)
	b = appendText(appendText(binary.AppendVarint(b, p.DNCAt), p.DNCFrom), p.DNCRef)
	b = appendText(b, p.Status)
	if n := len(p.Past); n > 0 {
		b = binary.AppendVarint(b, int64(n))
		for i := range p.Past {
			b = binary.AppendVarint(binary.AppendVarint(appendText(b, p.Past[i].Field), p.Past[i].Dialer), p.Past[i].CRM)
		}
	}
	b = append(b, 0)
	if n := len(p.Disputes); n > 0 {
		b = binary.AppendVarint(b, int64(n))
		for i := range p.Disputes {
			d := &p.Disputes[i]
			b = binary.AppendVarint(binary.AppendVarint(appendText(b, d.Field), d.Undone), d.OpenedAt)
			b = binary.AppendVarint(appendOptional(appendText(b, d.Kind), d.Value), d.At)
			b = appendText(appendText(b, d.From), d.Ref)
			b = appendText(appendText(appendText(b, d.Record.Provider), d.Record.Object), d.Record.ID)
		}
	}
	return append(b, 0)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendVarint(b, int64(len(s))), s...)
}

func appendOptional(b []byte, s *string) []byte {
	if s == nil {
		return append(b, 0)
	}
	return appendText(append(b, 2), *s) // the union's second branch
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendFields(b []byte, fs []schemas.Field) []byte {
	if len(fs) > 0 {
		b = binary.AppendVarint(b, int64(len(fs)))
		for i := range fs {
			b = appendOptional(appendText(b, fs[i].Name), fs[i].Value)
		}
	}
	return append(b, 0)
}

// decodePerson fills p from bytes of encodePerson.
func decodePerson(b []byte, p *person) error {
	d := decoder{s: string(b)}
	if d.byte() != value.Version {
		return fmt.Errorf("reading state of kind person: version %d: %w", b[:min(1, len(b))], pipeline.ErrCorrupt)
	}
	p.ID = d.text()
	d.blocks(func(n int) {
		texts := make([]string, n)
		p.Fields = grow(p.Fields, n)
		for i := range texts {
			p.Fields = append(p.Fields, fieldValue{Name: d.text(), Value: d.optional(&texts[i]), At: d.long(), From: d.text(), Ref: d.text()})
		}
	})
	d.blocks(func(n int) {
		p.Links = grow(p.Links, n)
		for range n {
			p.Links = append(p.Links, link{Provider: d.text(), Object: d.text(), ID: d.text(),
				Known: d.fields(), Wanted: d.fields(), Refused: d.fields(), Account: d.text(), Deleted: d.byte() == 1, Revision: d.long(), Generation: d.long(), Whole: d.long(), Warnings: d.fields(), Sent: d.sent(),
				Out: d.byte() == 1, Scope: d.fields(), ScopeAt: d.long(), Row: d.text(), RowSince: d.long()})
		}
	})
	p.ContactID = d.optional(new(string))
	p.DNC = d.byte() == 1
	p.DNCAt = d.long()
	p.DNCFrom, p.DNCRef = d.text(), d.text()
	p.Status = d.text()
	d.blocks(func(n int) {
		p.Past = grow(p.Past, n)
		for range n {
			p.Past = append(p.Past, past{Field: d.text(), Dialer: d.long(), CRM: d.long()})
		}
	})
	d.blocks(func(n int) {
		for range n {
			p.Disputes = append(p.Disputes, dispute{Field: d.text(), Undone: d.long(), OpenedAt: d.long(), Kind: d.text(), Value: d.optional(new(string)),
				At: d.long(), From: d.text(), Ref: d.text(), Record: schemas.Link{Provider: d.text(), Object: d.text(), ID: d.text()}})
		}
	})
	if d.bad || d.s != "" {
		return fmt.Errorf("reading state of kind person: %w", pipeline.ErrCorrupt)
	}
	return nil
}

// grow makes room for n more.
func grow[T any](s []T, n int) []T {
	if s == nil {
		return make([]T, 0, n)
	}
	return s
}

// decoder takes Avro values from the front of s. After something that cannot be, it
// is bad and gives zero values.
type decoder struct {
	s   string
	bad bool
}

func (d *decoder) fail() {
	d.s, d.bad = "", true
}

func (d *decoder) byte() byte {
	if d.s == "" {
		d.fail()
		return 0
	}
	b := d.s[0]
	d.s = d.s[1:]
	return b
}

// long is a zigzag varint.
func (d *decoder) long() int64 {
	var u uint64
	for i := range min(len(d.s), binary.MaxVarintLen64) {
		u |= uint64(d.s[i]&0x7f) << (7 * i)
		if d.s[i] < 0x80 {
			d.s = d.s[i+1:]
			return int64(u>>1) ^ -int64(u&1)
		}
	}
	d.fail()
	return 0
}

func (d *decoder) text() string {
	n := d.long()
	if n < 0 || n > int64(len(d.s)) {
		d.fail()
		return ""
	}
	t := d.s[:n]
	d.s = d.s[n:]
	return t
}

// optional is a union of null and a text, which is put into at.
func (d *decoder) optional(at *string) *string {
	switch d.long() {
	case 0:
		return nil
	case 1:
		*at = d.text()
		return at
	}
	d.fail()
	return nil
}

// blocks calls item for each block of an array with its number of items, no more than
// there can be in what is left.
func (d *decoder) blocks(item func(n int)) {
	for {
		n := d.long()
		if n < 0 {
			n = -n
			d.long() // the block's size in bytes
		}
		if n < 0 || n > int64(len(d.s)) {
			d.fail()
		}
		if n == 0 || d.bad {
			return
		}
		item(int(n))
	}
}

func appendSent(b []byte, s *sentValue) []byte {
	b = binary.AppendVarint(appendOptional(appendText(b, s.Name), s.Value), s.Until)
	return appendOptional(appendBool(b, s.Landed), s.Before)
}

func (d *decoder) sent() (vs []sentValue) {
	d.blocks(func(n int) {
		for range n {
			vs = append(vs, sentValue{Name: d.text(), Value: d.optional(new(string)), Until: d.long(), Landed: d.byte() == 1, Before: d.optional(new(string))})
		}
	})
	return vs
}

func (d *decoder) fields() (fs []schemas.Field) {
	d.blocks(func(n int) {
		texts := make([]string, n)
		fs = grow(fs, n)
		for i := range texts {
			fs = append(fs, schemas.Field{Name: d.text(), Value: d.optional(&texts[i])})
		}
	})
	return fs
}
