package rest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/crmstream/crmstream/schemas"
)

// What never left is told from what may have been applied.
func TestOutcome(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close()
	dropping := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer dropping.Close()
	large := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 100)) }))
	defer large.Close()
	for _, tc := range []struct{ base, want string }{
		{closed, schemas.NotSent}, {dropping.URL, schemas.Unknown}, {large.URL, schemas.Unknown},
	} {
		c := New(Config{Base: tc.base, MaxBody: 99})
		_, out, err := c.Do(t.Context(), time.Now().Add(10*time.Second), &Request{Method: "POST", Path: "/", Body: []byte("x")})
		if out != tc.want || err == nil {
			t.Errorf("%s: %s, %v", tc.base, out, err)
		}
	}
}
