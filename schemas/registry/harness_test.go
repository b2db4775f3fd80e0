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

	"github.com/twmb/franz-go/pkg/kfake"

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
