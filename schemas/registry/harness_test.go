package registry

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
)

// cluster is a broker on loopback that ends with the test.
func cluster(t *testing.T) []string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

// serve opens a registry over the brokers; both it and its HTTP server end with the
// test, or by the function returned.
func serve(t *testing.T, brokers []string) (url string, stop func()) {
	t.Helper()
	s, err := NewServer(t.Context(), ServerConfig{Brokers: brokers})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s.Handler())
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			h.Close()
			s.Close()
		}
	}
	t.Cleanup(stop)
	return h.URL, stop
}

// write adds a record to the topic.
func write(t *testing.T, brokers []string, key string, value []byte) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(within(t, 10*time.Second), &kgo.Record{Topic: SchemasTopic, Key: []byte(key), Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// compact copies the newest record of each key, and no tombstones, to the topic of
// other brokers.
func compact(t *testing.T, from, to []string) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	cl, err := kgo.NewClient(kgo.SeedBrokers(from...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{SchemasTopic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, SchemasTopic)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(SchemasTopic, 0)
	var all []*kgo.Record
	newest := make(map[string]int64)
	for at := int64(0); at < end.Offset; {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatal(err)
		}
		for _, r := range fs.Records() {
			all, newest[string(r.Key)], at = append(all, r), r.Offset, r.Offset+1
		}
	}
	copyTo, err := kgo.NewClient(kgo.SeedBrokers(to...))
	if err != nil {
		t.Fatal(err)
	}
	defer copyTo.Close()
	if _, err := kadm.NewClient(copyTo).CreateTopic(ctx, 1, 1, nil, SchemasTopic); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if newest[string(r.Key)] == r.Offset && r.Value != nil {
			if err := copyTo.ProduceSync(ctx, &kgo.Record{Topic: SchemasTopic, Key: r.Key, Value: r.Value}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// registered is a codec whose schemas are in a registry of its own.
func registered(t *testing.T) (*Codec, string) {
	t.Helper()
	url, _ := serve(t, cluster(t))
	c := NewCodec(url)
	if err := c.Register(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	return c, url
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// ask sends one request with a raw body and returns status, content type and body.
func ask(t *testing.T, method, url, body string) (int, string, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, 10*time.Second), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), strings.TrimSpace(string(b))
}

// topicsWithRecords are the topics that a Codec serves.
func topicsWithRecords() []schemas.Topic {
	var ts []schemas.Topic
	for _, t := range schemas.Topics() {
		if t.Record != "" {
			ts = append(ts, t)
		}
	}
	return ts
}

// random returns a record with every field filled by r: nulls, empty and several
// items, odd text, the ends of each number.
func random(r *rand.Rand, record string) any {
	v := schemas.New(record)
	fill(r, reflect.ValueOf(v).Elem())
	return v
}

var texts = []string{"", "a", "+14155550100", "Zoë O’Neil", "日本語", "line\nline\t\"quoted\"", strings.Repeat("x", 300)}

func fill(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i))
		}
	case reflect.Pointer:
		if r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, r.IntN(20))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			v.SetBytes(b)
			return
		}
		n := r.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(r, v.Index(i))
		}
	case reflect.String:
		v.SetString(texts[r.IntN(len(texts))])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int32:
		v.SetInt([]int64{0, 1, -1, 1<<31 - 1, -1 << 31}[r.IntN(5)])
	case reflect.Int64:
		// Instants too: milliseconds far outside of what a clock shows must survive.
		v.SetInt([]int64{0, -1, 1700000000123, 1<<53 + 1, 1<<63 - 1, -1 << 63}[r.IntN(6)])
	case reflect.Float64:
		v.SetFloat([]float64{0, 0.1, -1e300}[r.IntN(3)])
	default:
		panic(fmt.Sprintf("no way to fill a %s", v.Type()))
	}
}
