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

// A redirect is an answer: the token goes to no address that came in one.
func TestNoRedirectIsFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		n := 0
		c := New(Config{Base: "http://crm", HTTP: &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
			n++
			res := ok()
			res.StatusCode = status
			res.Header.Set("Location", "http://elsewhere/")
			return res, nil
		})}})
		res, out, err := c.Do(t.Context(), time.Time{}, &Request{Method: "POST", Path: "/", Body: []byte("x")})
		if err != nil || out != schemas.Sent || res.Status != status || n != 1 {
			t.Errorf("%d: %v, %s, %v, %d requests", status, res, out, err, n)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "0": 0, "-5": 0, "soon": 0, "1.5": 0, "99999999999999": 0, "31536000": 24 * time.Hour,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:03:05 GMT": 0, "Fri, 02 Jan 2099 03:03:05 GMT": 24 * time.Hour,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {v}}, now); got != want {
			t.Errorf("%q is %v, want %v", v, got, want)
		}
	}
}
