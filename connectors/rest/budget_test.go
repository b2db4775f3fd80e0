package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmstream/crmstream/schemas"
)

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func ok() *http.Response {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}
}

// No interval of a window's length ever holds more sends than allowed, and none are
// wasted: the last of 35 leaves as soon as it may.
func TestWindowIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		sent := make(chan time.Time, 100)
		c := New(Config{Base: "http://crm", Window: 10 * time.Second, PerWindow: 10, HTTP: &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) {
			sent <- time.Now()
			return ok(), nil
		})}})
		for i := range 35 {
			go func() {
				if _, out, err := c.Do(t.Context(), time.Time{}, &Request{Method: "GET", Path: "/"}); err != nil || out != schemas.Sent {
					t.Errorf("request %d: %s, %v", i, out, err)
				}
			}()
			time.Sleep(100 * time.Millisecond)
		}
		var at []time.Time
		for range 35 {
			at = append(at, <-sent)
		}
		synctest.Wait()
		for i := 10; i < len(at); i++ {
			if d := at[i].Sub(at[i-10]); d < 10*time.Second {
				t.Errorf("sends %d and %d are %v apart", i-10, i, d)
			}
		}
		if d := at[34].Sub(began); d != 30400*time.Millisecond {
			t.Errorf("the last left after %v", d)
		}
	})
}

func TestNothingLeavesAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		c := New(Config{Base: "http://crm", HTTP: &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) { n++; return ok(), nil })}})
		c.Hold(time.Minute)
		began := time.Now()
		_, out, err := c.Do(t.Context(), time.Now().Add(10*time.Second), &Request{Method: "GET", Path: "/"})
		e, _ := errors.AsType[*Error](err)
		if out != schemas.NotSent || e == nil || e.Class != schemas.ErrThrottled || e.RetryAfter != time.Minute || n != 0 {
			t.Errorf("got %s, %v, %d sent", out, err, n)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("waited %v in vain", d)
		}
		if _, _, err := c.Do(t.Context(), time.Now().Add(2*time.Minute), &Request{Method: "GET", Path: "/"}); err != nil || time.Since(began) != time.Minute {
			t.Errorf("after the hold: %v at %v", err, time.Since(began))
		}
	})
}

// At the reserve one call per probe goes out; a better header opens again.
func TestDailyReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{Base: "http://crm", Reserve: 10, HTTP: &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) { return ok(), nil })}})
		c.Daily(90, 100)
		soon := func() error {
			_, _, err := c.Do(t.Context(), time.Now().Add(time.Second), &Request{Method: "GET", Path: "/"})
			return err
		}
		if soon() == nil {
			t.Error("sent from the reserve")
		}
		time.Sleep(5 * time.Minute)
		if err := soon(); err != nil {
			t.Errorf("the probe: %v", err)
		}
		if soon() == nil {
			t.Error("sent twice in one probe")
		}
		c.Daily(50, 100)
		if err := soon(); err != nil {
			t.Errorf("after the allowance grew: %v", err)
		}
	})
}

func TestTokensAreFetchedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		ts := NewTokens(nil, func(context.Context, time.Time) (Token, error) {
			n++
			time.Sleep(time.Second)
			return Token{Access: strings.Repeat("t", n)}, nil
		})
		for range 20 {
			go func() {
				tok, err := ts.Get(t.Context(), time.Time{})
				if err != nil || tok.Access != "t" {
					t.Errorf("got %v, %v", tok, err)
				}
				ts.Refused(Token{Access: "older"})
			}()
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

func TestRedact(t *testing.T) {
	for _, s := range []string{"Bearer abc.def", "00D000000000001AAA!AQ.xyz", `{"access_token":"sosecret"}`, "assertion=eyJhbGci.eyJpc3M.sig", "my own sosecret", "pat-na1-12345678-abcd"} {
		got := Redact(s, "sosecret")
		for _, leak := range []string{"abc.def", "AQ.xyz", "sosecret", "eyJpc3M", "12345678"} {
			if strings.Contains(got, leak) {
				t.Errorf("%q leaks %q", got, leak)
			}
		}
	}
}
