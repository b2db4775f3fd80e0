package registry

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/crmstream/crmstream/schemas"
)

func TestEveryRecordComesBackAsItWent(t *testing.T) {
	c, url := registered(t)
	other := NewCodec(url) // has registered nothing: it learns by asking
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, topic := range topicsWithRecords() {
		for range 50 {
			in := random(r, topic.Record)
			b, err := c.Append(nil, topic.Name, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, reader := range []*Codec{c, other} {
				out, err := reader.Decode(within(t, 5*time.Second), topic.Name, b)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(in, out, cmpopts.EquateEmpty()); d != "" {
					t.Fatalf("%s changed (-went +came):\n%s", topic.Name, d)
				}
			}
		}
	}
}

// The wire format is a zero byte, the id in four bytes, the record.
func TestWireFormat(t *testing.T) {
	c, url := registered(t)
	b, err := c.Append([]byte("head"), schemas.TopicDialerCalls, &schemas.CallEvent{CallID: "c"})
	if err != nil {
		t.Fatal(err)
	}
	if string(b[:4]) != "head" || b[4] != 0 {
		t.Fatalf("% x does not append a zero byte", b[:5])
	}
	cl, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	s, err := cl.SchemaByVersion(t.Context(), "dialer.calls-value", -1)
	if err != nil {
		t.Fatal(err)
	}
	if got := int(binary.BigEndian.Uint32(b[5:9])); got != s.ID {
		t.Errorf("id %d in the record, %d in the registry", got, s.ID)
	}
}

func TestAppendNeedsNoMemoryOfItsOwn(t *testing.T) {
	c, _ := registered(t)
	v := &schemas.CallEvent{CallID: "call-1", Revision: 1, Direction: schemas.Outbound, StartedAt: 1700000000123, ToNumber: "+14155550100"}
	dst := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := c.Append(dst, schemas.TopicDialerCalls, v); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations per record", n)
	}
}

func TestAppendRefuses(t *testing.T) {
	c, url := registered(t)
	dst := []byte("head")
	for name, f := range map[string]func() ([]byte, error){
		"a topic without a record": func() ([]byte, error) { return c.Append(dst, schemas.TopicChangelog, &schemas.CallEvent{}) },
		"another topic's record":   func() ([]byte, error) { return c.Append(dst, schemas.TopicDialerCalls, &schemas.SyncHealth{}) },
		"no record":                func() ([]byte, error) { return c.Append(dst, schemas.TopicDialerCalls, (*schemas.CallEvent)(nil)) },
		"a schema not registered": func() ([]byte, error) {
			return NewCodec(url).Append(dst, schemas.TopicDialerCalls, &schemas.CallEvent{})
		},
	} {
		out, err := f()
		if err == nil {
			t.Errorf("%s was encoded", name)
		}
		if string(out) != "head" {
			t.Errorf("%s: %q is left of what was there before", name, out)
		}
	}
}

// A dialer that knows nothing of ours but a few fields is read; the rest is absent.
func TestAForeignProducerMayLeaveFieldsOut(t *testing.T) {
	c, url := registered(t)
	const minimal = `{"type":"record","name":"CallEvent","namespace":"io.crmstream","fields":[
		{"name":"to_number","type":"string"},
		{"name":"from_number","type":"string"},
		{"name":"agent_email","type":"string"},
		{"name":"call_id","type":"string"},
		{"name":"revision","type":"int"},
		{"name":"direction","type":"string"},
		{"name":"started_at","type":{"type":"long","logicalType":"timestamp-millis"}},
		{"name":"mood","type":"string"}]}`
	type call struct {
		To        string    `avro:"to_number"`
		From      string    `avro:"from_number"`
		Agent     string    `avro:"agent_email"`
		ID        string    `avro:"call_id"`
		Revision  int32     `avro:"revision"`
		Direction string    `avro:"direction"`
		Started   time.Time `avro:"started_at"`
		Mood      string    `avro:"mood"`
	}
	b := foreign(t, url, "another-dialer-value", minimal, &call{
		To: "+14155550100", From: "+14155550199", Agent: "rep@example.com", ID: "c-1", Revision: 2,
		Direction: "outbound", Started: time.UnixMilli(1700000000123), Mood: "sunny",
	})
	got, err := c.Decode(within(t, 5*time.Second), schemas.TopicDialerCalls, b)
	if err != nil {
		t.Fatal(err)
	}
	want := &schemas.CallEvent{
		CallID: "c-1", Revision: 2, Direction: schemas.Outbound, StartedAt: 1700000000123,
		FromNumber: "+14155550199", ToNumber: "+14155550100", AgentEmail: "rep@example.com",
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// foreign registers a schema and encodes v by it in the wire format.
func foreign(t *testing.T, url, subject, schema string, v any) []byte {
	t.Helper()
	id := register(t, url, subject, schema)
	b := binary.BigEndian.AppendUint32([]byte{0}, uint32(id))
	b, err := avro.MustParse(schema).AppendEncode(b, v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func register(t *testing.T, url, subject, schema string) int {
	t.Helper()
	cl, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	id, err := cl.RegisterSchema(within(t, 10*time.Second), subject, sr.Schema{Schema: schema}, -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// P5: what is the sender's fault is a dead letter, and says why.
func TestWhatIsNotAvro(t *testing.T) {
	c, url := registered(t)
	good, err := c.Append(nil, schemas.TopicDialerCalls, &schemas.CallEvent{CallID: "call-1"})
	if err != nil {
		t.Fatal(err)
	}
	number := binary.BigEndian.AppendUint32([]byte{0}, uint32(register(t, url, "number-value", `"long"`)))
	for _, tt := range []struct {
		name  string
		topic string
		b     []byte
		want  error
	}{
		{"nothing", schemas.TopicDialerCalls, nil, ErrNotAvro},
		{"JSON", schemas.TopicDialerCalls, []byte(`{"call_id":"call-1"}`), ErrNotAvro},
		{"half an id", schemas.TopicDialerCalls, good[:4], ErrNotAvro},
		{"an id and no record", schemas.TopicDialerCalls, good[:headerSize], ErrNotAvro},
		{"half a record", schemas.TopicDialerCalls, good[:len(good)-3], ErrNotAvro},
		{"a byte too many", schemas.TopicDialerCalls, append(good[:len(good):len(good)], 0), ErrNotAvro},
		{"a topic of raw bytes", schemas.TopicChangelog, good, ErrNotAvro},
		{"an id that nobody gave out", schemas.TopicDialerCalls, []byte{0, 0x7f, 0xff, 0xff, 0xff, 0}, ErrUnknownSchema},
		{"a negative id", schemas.TopicDialerCalls, []byte{0, 0xff, 0xff, 0xff, 0xff, 0}, ErrUnknownSchema},
		{"another topic's record", schemas.TopicSyncHealth, good, ErrUnknownSchema},
		{"a schema that is no record", schemas.TopicDialerCalls, append(number, 2), ErrUnknownSchema},
	} {
		for range 2 { // from the registry, then from what is remembered of it
			v, err := c.Decode(within(t, 5*time.Second), tt.topic, tt.b)
			if !errors.Is(err, tt.want) || errors.Is(err, ErrUnavailable) {
				t.Errorf("%s: got %v, %v; want %v", tt.name, v, err, tt.want)
			}
		}
	}
}

// counting is a registry that answers as it is told and counts.
func counting(t *testing.T, answer func(http.ResponseWriter, *http.Request)) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		answer(w, r)
	}))
	t.Cleanup(h.Close)
	return h.URL, asked
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	answer(w, nil, noSchema)
}

// A flood of records with a bad id is not a flood of requests.
func TestAnUnknownIDIsAskedForOnce(t *testing.T) {
	url, asked := counting(t, notFound)
	c := NewCodec(url)
	for range 1000 {
		if _, err := c.Decode(t.Context(), schemas.TopicDialerCalls, []byte{0, 0, 0, 0, 9, 0}); !errors.Is(err, ErrUnknownSchema) {
			t.Fatal(err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// A stranger who sends another id with every record does not fill our memory.
func TestUnknownIDsAreForgotten(t *testing.T) {
	url, _ := counting(t, notFound)
	c := NewCodec(url)
	r := c.readers[schemas.TopicDialerCalls]
	r.learn(7, writer{schema: r.schema})
	for id := range 3 * maxUnknown {
		r.learn(1000+id, writer{})
	}
	if n := len(r.writers); n > maxUnknown+1 {
		t.Errorf("%d ids are remembered", n)
	}
	if r.writers[7].schema == nil {
		t.Error("a schema that is known was forgotten with them")
	}
}

// A schema that is registered after its first record is found, once the memory of
// its absence is old.
func TestAnUnknownIDIsAskedForAgain(t *testing.T) {
	text, _ := schemas.AVSC("CallEvent")
	var known atomic.Bool
	url, asked := counting(t, func(w http.ResponseWriter, r *http.Request) {
		if !known.Load() {
			notFound(w, r)
			return
		}
		answer(w, map[string]string{"schema": text}, nil)
	})
	c := NewCodec(url)
	b, err := avro.MustParse(text).AppendEncode([]byte{0, 0, 0, 0, 9}, &schemas.CallEvent{CallID: "call-1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Decode(t.Context(), schemas.TopicDialerCalls, b); !errors.Is(err, ErrUnknownSchema) {
		t.Fatal(err)
	}
	known.Store(true)
	r := c.readers[schemas.TopicDialerCalls]
	w := r.writers[9]
	w.until = time.Now().Add(-time.Second)
	r.learn(9, w)
	v, err := c.Decode(t.Context(), schemas.TopicDialerCalls, b)
	if err != nil {
		t.Fatal(err)
	}
	if got := v.(*schemas.CallEvent).CallID; got != "call-1" || asked.Load() != 2 {
		t.Errorf("read %q after %d requests", got, asked.Load())
	}
}

// P5: a registry that is away is nobody's record's fault.
func TestARegistryThatIsAwayIsNoDeadLetter(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	busy, _ := counting(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "later", http.StatusServiceUnavailable) })
	limited, _ := counting(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "slower", http.StatusTooManyRequests) })
	locked, _ := counting(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "who?", http.StatusUnauthorized) })
	proxy, _ := counting(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "default backend - 404", http.StatusNotFound)
	})
	babble, _ := counting(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
	for name, url := range map[string]string{"gone": gone.URL, "busy": busy, "limited": limited, "locked": locked, "babble": babble, "a proxy without it": proxy, "no address": "::"} {
		_, err := NewCodec(url).Decode(t.Context(), schemas.TopicDialerCalls, []byte{0, 0, 0, 0, 9, 0})
		if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnknownSchema) || errors.Is(err, ErrNotAvro) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeEndsWithItsContext(t *testing.T) {
	release := make(chan struct{})
	url, _ := counting(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	t.Cleanup(func() { close(release) }) // before the server's own, which waits for it
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := NewCodec(url).Decode(ctx, schemas.TopicDialerCalls, []byte{0, 0, 0, 0, 9, 0})
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// Register waits for a registry that is late, and gives up at a refusal.
func TestRegisterTriesAgain(t *testing.T) {
	var n atomic.Int64
	url, _ := counting(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) < 3 {
			http.Error(w, "later", http.StatusServiceUnavailable)
			return
		}
		answer(w, map[string]int{"id": 7}, nil)
	})
	c := NewCodec(url)
	if err := c.Register(within(t, 10*time.Second)); err != nil {
		t.Error(err)
	}
	for _, topic := range topicsWithRecords() {
		if _, err := c.Append(nil, topic.Name, schemas.New(topic.Record)); err != nil {
			t.Errorf("registered, and yet: %v", err)
		}
	}
	refusing, asked := counting(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, nil, &problem{409, 409, "incompatible"})
	})
	if err := NewCodec(refusing).Register(within(t, 10*time.Second)); err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("a refusal became %v", err)
	}
	if asked.Load() != 1 {
		t.Errorf("a refusal was asked for %d times", asked.Load())
	}
}

func TestRegisterIsRepeatable(t *testing.T) {
	c, url := registered(t)
	if err := c.Register(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := NewCodec(url)
	if err := again.Register(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	for name, r := range c.readers {
		if got := again.readers[name].id.Load(); got != r.id.Load() || got == 0 {
			t.Errorf("%s: id %d the second time, %d the first", name, got-1, r.id.Load()-1)
		}
	}
	_, _, body := ask(t, "GET", url+"/subjects", "")
	var subjects []string
	if err := json.Unmarshal([]byte(body), &subjects); err != nil {
		t.Fatal(err)
	}
	if len(subjects) != len(c.readers) || !strings.HasSuffix(subjects[0], "-value") {
		t.Errorf("subjects %v", subjects)
	}
}
