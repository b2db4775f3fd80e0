package registry

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/crmstream/crmstream/schemas"
)

// Errors of Decode.
var (
	// ErrNotAvro: the bytes are not in the wire format, or do not decode.
	ErrNotAvro = errors.New("not Avro in the Confluent wire format")
	// ErrUnknownSchema: the registry has no schema with the record's id, or one from
	// which the record cannot be read.
	ErrUnknownSchema = errors.New("unknown schema id")
	// ErrUnavailable: the registry does not answer. Wait and try again.
	ErrUnavailable = errors.New("the schema registry does not answer")
)

// headerSize is the wire format's: a zero byte and the schema id, big endian.
const headerSize = 5

// unknownFor is how long an id that the registry does not know is not asked for
// again.
const unknownFor = 10 * time.Second

// askFor is how long an answer is waited for, in the loop of all partitions; awayFor
// how long nobody asks after none came.
const (
	askFor  = 2 * time.Second
	awayFor = time.Second
)

// maxUnknown bounds how many unknown ids of a topic are remembered: a stranger can
// send one with every record.
const maxUnknown = 4096

// noSuchSchema is the registry's own code for an id that it does not have. A 404
// without it is some proxy's, and says nothing of the id.
const noSuchSchema = 40403

// Codec encodes and decodes records of the catalogue's topics. It is safe for
// concurrent use.
type Codec struct {
	client  *sr.Client
	err     error
	readers map[string]*reader // by topic; fixed after NewCodec
	// away is when the registry may be asked again after it did not answer, in ns: all
	// who wait for it would else wait one after the other.
	away atomic.Int64
}

type reader struct {
	topic  string
	record string
	text   string
	schema *avro.Schema
	id     atomic.Int64 // of our own schema in the registry, +1; 0 = not registered yet

	mu      sync.RWMutex
	writers map[int]writer // by schema id
	unknown int            // entries without a schema, at most
}

type writer struct {
	schema *avro.Schema // resolves the writer's form into ours; nil = unusable
	until  time.Time    // of a negative entry
	why    error
}

// NewCodec returns a codec that asks the registry at url. It contacts nobody.
func NewCodec(url string) *Codec {
	c := &Codec{readers: make(map[string]*reader)}
	c.client, c.err = sr.NewClient(sr.URLs(url), sr.HTTPClient(&http.Client{Timeout: 5 * time.Second}))
	for _, t := range schemas.Topics() {
		if t.Record == "" {
			continue
		}
		text, ok := schemas.AVSC(t.Record)
		if !ok {
			panic("schemas: no schema for " + t.Record)
		}
		c.readers[t.Name] = &reader{topic: t.Name, record: t.Record, text: text, schema: avro.MustParse(text), writers: make(map[int]writer)}
	}
	return c
}

// Register makes our schemas known under <topic>-value and learns their ids. It
// tries for at most about 30 s; calling it again is cheap.
func (c *Codec) Register(ctx context.Context) error {
	if c.err != nil {
		return fmt.Errorf("schema registry: %w", c.err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for _, t := range schemas.Topics() {
		r := c.readers[t.Name]
		if r == nil || r.id.Load() != 0 {
			continue
		}
		wait := 50 * time.Millisecond
		for {
			id, err := c.client.RegisterSchema(ctx, t.Name+"-value", sr.Schema{Schema: r.text, Type: sr.TypeAvro}, -1, -1)
			if err == nil {
				r.learn(id, writer{schema: r.schema})
				r.id.Store(int64(id) + 1)
				break
			}
			var re *sr.ResponseError
			if errors.As(err, &re) && re.StatusCode >= 400 && re.StatusCode < 500 && re.StatusCode != http.StatusTooManyRequests {
				return fmt.Errorf("registering the schema of %s: the registry refused it: %w", t.Name, err)
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("registering the schema of %s: %w: %w", t.Name, ErrUnavailable, err)
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("registering the schema of %s: %w", t.Name, ctx.Err())
			case <-time.After(wait):
				wait = min(2*wait, 2*time.Second)
			}
		}
	}
	return nil
}

func (r *reader) learn(id int, w writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.schema == nil {
		if r.unknown >= maxUnknown {
			for id, w := range r.writers {
				if w.schema == nil {
					delete(r.writers, id)
				}
			}
			r.unknown = 0
		}
		r.unknown++
	}
	r.writers[id] = w
}

// Append appends v, a pointer to the topic's record type, in the wire format.
// Register must have been called.
func (c *Codec) Append(dst []byte, topic string, v any) ([]byte, error) {
	r := c.readers[topic]
	if r == nil {
		return dst, fmt.Errorf("encoding for %s: the topic has no record type", topic)
	}
	id := r.id.Load()
	if id == 0 {
		return dst, fmt.Errorf("encoding for %s: its schema is not registered yet", topic)
	}
	n := len(dst)
	dst = append(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(id-1))
	out, err := r.schema.AppendEncode(dst, v)
	if err != nil {
		return dst[:n], fmt.Errorf("encoding %s for %s: %w", r.record, topic, err)
	}
	return out, nil
}

// Decode returns the record in b as a pointer to the topic's type. The error is
// ErrNotAvro, ErrUnknownSchema or ErrUnavailable by errors.Is.
func (c *Codec) Decode(ctx context.Context, topic string, b []byte) (any, error) {
	r := c.readers[topic]
	if r == nil {
		return nil, fmt.Errorf("decoding %s: the topic has no record type: %w", topic, ErrNotAvro)
	}
	if len(b) < headerSize || b[0] != 0 {
		return nil, fmt.Errorf("decoding %s: %w: the value must begin with a zero byte and a schema id", r.record, ErrNotAvro)
	}
	id := int(int32(binary.BigEndian.Uint32(b[1:])))
	r.mu.RLock()
	w, ok := r.writers[id]
	r.mu.RUnlock()
	if !ok || w.schema == nil && time.Now().After(w.until) {
		var err error
		if w, err = c.ask(ctx, r, id); err != nil {
			return nil, err
		}
	}
	if w.schema == nil {
		return nil, w.why
	}
	v := schemas.New(r.record)
	rest, err := w.schema.Decode(b[headerSize:], v)
	if err != nil {
		return nil, fmt.Errorf("decoding %s: %w: %w", r.record, ErrNotAvro, err)
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("decoding %s: %w: %d bytes after its end", r.record, ErrNotAvro, len(rest))
	}
	return v, nil
}

// ask fetches the writer's schema and resolves it into ours.
func (c *Codec) ask(ctx context.Context, r *reader, id int) (writer, error) {
	bad := func(format string, args ...any) writer {
		w := writer{until: time.Now().Add(unknownFor), why: fmt.Errorf("decoding %s: %w %d: %s", r.record, ErrUnknownSchema, id, fmt.Sprintf(format, args...))}
		r.learn(id, w)
		return w
	}
	if id < 0 {
		return bad("ids are not negative"), nil
	}
	if c.err != nil {
		return writer{}, fmt.Errorf("schema registry: %w: %w", ErrUnavailable, c.err)
	}
	if time.Now().UnixNano() < c.away.Load() {
		return writer{}, fmt.Errorf("decoding %s: %w", r.record, ErrUnavailable)
	}
	actx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	s, err := c.client.SchemaByID(actx, id)
	if err != nil {
		var re *sr.ResponseError
		if errors.As(err, &re) && re.ErrorCode == noSuchSchema {
			return bad("the registry does not have it"), nil
		}
		if ctx.Err() == nil {
			c.away.Store(time.Now().Add(awayFor).UnixNano())
		}
		return writer{}, fmt.Errorf("decoding %s: %w: %w", r.record, ErrUnavailable, err)
	}
	if s.Type != sr.TypeAvro {
		return bad("it is no Avro schema"), nil
	}
	ws, err := avro.Parse(s.Schema)
	if err != nil {
		return bad("it does not parse: %v", err), nil
	}
	resolved, err := avro.Resolve(ws, r.schema)
	if err != nil {
		return bad("a %s can't be read from it: %v", r.record, err), nil
	}
	w := writer{schema: resolved}
	r.learn(id, w)
	return w, nil
}
