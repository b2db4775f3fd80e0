package registry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/crmstream/crmstream/schemas"
)

// offline is a codec that knows its own schemas by the ids 1, 2, … and asks nobody.
func offline(tb testing.TB) *Codec {
	tb.Helper()
	c := NewCodec("http://127.0.0.1:1")
	for i, topic := range topicsWithRecords() {
		r := c.readers[topic.Name]
		r.learn(i+1, writer{schema: r.schema})
		r.id.Store(int64(i + 2))
	}
	return c
}

// memoryFor bounds what n bytes of a stranger may make us allocate: an item of two
// bytes becomes one of some tens in memory, and that is all the leverage there is.
func memoryFor(n int) uint64 { return 64<<10 + 200*uint64(n) }

// allocated returns the bytes that f allocates, with those of other goroutines.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Whatever arrives on a topic is read or refused: no panic, no memory out of
// proportion (P5). What is read can be written, and is read as the same.
func FuzzDecode(f *testing.F) {
	c := offline(f)
	topics := topicsWithRecords()
	r := rand.New(rand.NewPCG(1, 2))
	for i, topic := range topics {
		for range 5 {
			b, err := c.Append(nil, topic.Name, random(r, topic.Record))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(byte(i), b[headerSize:])
		}
		f.Add(byte(i), []byte{0x80, 0x80, 0x80, 0x80, 0x02, 0x00})
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		if len(b) > schemas.RecordLimit {
			return // the caller's limit
		}
		i := int(which) % len(topics)
		topic := topics[i].Name
		in := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(i+1)), b...)
		var v any
		var err error
		if n := allocated(func() { v, err = c.Decode(t.Context(), topic, in) }); n > memoryFor(len(b)) {
			t.Errorf("%d bytes made us allocate %d", len(b), n)
		}
		if err != nil {
			if !errors.Is(err, ErrNotAvro) {
				t.Errorf("refused with %v", err)
			}
			return
		}
		once, err := c.Append(nil, topic, v)
		if err != nil {
			t.Fatalf("read and cannot be written: %v", err)
		}
		again, err := c.Decode(t.Context(), topic, once)
		if err != nil {
			t.Fatalf("written and cannot be read: %v", err)
		}
		if twice, err := c.Append(nil, topic, again); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("not the same after the second time round: %v\n% x\n% x", err, once, twice)
		}
	})
}

// Counts and lengths that promise what the message does not hold, at many places of
// every record.
func TestCountsThatLie(t *testing.T) {
	c := offline(t)
	lies := [][]byte{
		{0xfe, 0xff, 0xff, 0xff, 0x0f},                                           // 2^31-1
		{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},             // 2^63-1
		{0xff, 0xff, 0xff, 0xff, 0x0f},                                           // -2^31: a block with its size
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},             // -2^63
		{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80}, // no end
	}
	r := rand.New(rand.NewPCG(3, 4))
	refused := 0
	for _, topic := range topicsWithRecords() {
		good, err := c.Append(nil, topic.Name, random(r, topic.Record))
		if err != nil {
			t.Fatal(err)
		}
		for range 60 {
			at := headerSize + r.IntN(len(good)-headerSize)
			for _, lie := range lies {
				b := append(append(append([]byte(nil), good[:at]...), lie...), good[at+1:]...)
				n := allocated(func() { _, err = c.Decode(t.Context(), topic.Name, b) })
				if n > memoryFor(len(b)) {
					t.Errorf("%s: % x at byte %d of %d made us allocate %d bytes", topic.Name, lie, at, len(b), n)
				}
				if err != nil {
					refused++
					if !errors.Is(err, ErrNotAvro) {
						t.Errorf("%s: % x at byte %d: %v", topic.Name, lie, at, err)
					}
				}
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused: the lies were not where they hurt")
	}
}

// A stranger may also bring a schema of his own, with fields that we skip: a type
// that holds itself, an item of no bytes. Neither ends the process.
func TestSchemasThatLie(t *testing.T) {
	c := offline(t)
	topic := schemas.TopicDialerCalls
	good, err := c.Append(nil, topic, &schemas.CallEvent{CallID: "call-1"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		field string // comes before ours
		bytes []byte // of that field
	}{
		"deeper than the stack": {
			`{"name": "deep", "type": {"type": "record", "name": "N", "fields": [{"name": "next", "type": ["null", "N"]}]}}`,
			append(bytes.Repeat([]byte{2}, schemas.RecordLimit), 0),
		},
		"2^62 items of nothing": {
			`{"name": "many", "type": {"type": "array", "items": "null"}}`,
			[]byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0},
		},
	} {
		text, _ := schemas.AVSC("CallEvent")
		text = strings.Replace(text, `"fields": [`, `"fields": [`+tt.field+`,`, 1)
		url, _ := counting(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, map[string]string{"schema": text}, nil) })
		b := append([]byte{0, 0, 0, 0, 99}, tt.bytes...)
		b = append(b, good[headerSize:]...)
		stranger := NewCodec(url)
		if n := allocated(func() { _, err = stranger.Decode(t.Context(), topic, b) }); n > 32<<20 {
			t.Errorf("%s: %d bytes allocated", name, n)
		}
		if !errors.Is(err, ErrNotAvro) {
			t.Errorf("%s: got %v, want %v", name, err, ErrNotAvro)
		}
	}
}
