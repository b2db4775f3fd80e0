package rest

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

// told is a server's word of its window, in the headers of these tests.
func told(h http.Header) Limits {
	n := func(k string) int { v, _ := strconv.Atoi(h.Get(k)); return v }
	return Limits{PerWindow: n("Max"), Window: time.Duration(n("Window")) * time.Second, Remaining: n("Left")}
}

// counting is a server with a window in which others have sent before.
func counting(perWindow int, window time.Duration, foreign int) func() *http.Response {
	var mu sync.Mutex
	at := slices.Repeat([]time.Time{time.Now()}, foreign)
	return func() *http.Response {
		mu.Lock()
		defer mu.Unlock()
		at = append(slices.DeleteFunc(at, func(t time.Time) bool { return time.Since(t) >= window }), time.Now())
		return says(perWindow, int(window/time.Second), max(0, perWindow-len(at)))
	}
}

func says(perWindow, window, left int) *http.Response {
	res := ok()
	res.Header.Set("Max", strconv.Itoa(perWindow))
	res.Header.Set("Window", strconv.Itoa(window))
	res.Header.Set("Left", strconv.Itoa(left))
	return res
}

// burst asks for n requests, one each 100 ms, and returns when they left.
func burst(t *testing.T, c *Client, sent <-chan time.Time, n int) (at []time.Time) {
	for i := range n {
		go func() {
			if _, out, err := c.Do(t.Context(), time.Time{}, &Request{Method: "GET", Path: "/"}); err != nil || out != schemas.Sent {
				t.Errorf("request %d: %s, %v", i, out, err)
			}
		}()
		time.Sleep(100 * time.Millisecond)
	}
	for range n {
		at = append(at, <-sent)
	}
	synctest.Wait()
	return at
}

func never(t *testing.T, at []time.Time, most int, window time.Duration) {
	t.Helper()
	for i := most; i < len(at); i++ {
		if d := at[i].Sub(at[i-most]); d < window {
			t.Errorf("sends %d and %d are %v apart, the window of %d is %v", i-most, i, d, most, window)
		}
	}
}

// No interval of a window's length ever holds more sends than allowed, and none are
// wasted: the last of 35 leaves as soon as it may.
func TestWindowIsExact(t *testing.T) {
	for _, c := range []struct {
		name          string
		server        func() func() *http.Response
		most          int
		window        time.Duration
		first, second time.Duration // when the second and the last leave
	}{
		{"as configured", func() func() *http.Response { return counting(10, 10*time.Second, 0) }, 10, 10 * time.Second, 100 * time.Millisecond, 30400 * time.Millisecond},
		{"as the first answer says", func() func() *http.Response { return counting(20, 10*time.Second, 0) }, 20, 10 * time.Second, 100 * time.Millisecond, 11400 * time.Millisecond},
		{"shorter than configured", func() func() *http.Response { return counting(10, 4*time.Second, 0) }, 10, 4 * time.Second, 100 * time.Millisecond, 12400 * time.Millisecond},
		{"less than configured", func() func() *http.Response { return counting(5, 10*time.Second, 0) }, 5, 10 * time.Second, 100 * time.Millisecond, 60400 * time.Millisecond},
		{"what a former owner sent counts", func() func() *http.Response { return counting(10, 10*time.Second, 7) }, 10, 10 * time.Second, 100 * time.Millisecond, 40 * time.Second},
		{"an answer that says nothing: full", func() func() *http.Response { return ok }, 10, 10 * time.Second, 10 * time.Second, 40 * time.Second},
		{"nonsense is not believed", func() func() *http.Response { return func() *http.Response { return says(-1, 10, 5) } }, 10, 10 * time.Second, 10 * time.Second, 40 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				sent := make(chan time.Time, 100)
				answer := c.server()
				cl := New(Config{Base: "http://crm", Window: 10 * time.Second, PerWindow: 10, Limits: told, HTTP: &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) {
					sent <- time.Now()
					return answer(), nil
				})}})
				at := burst(t, cl, sent, 35)
				never(t, at, c.most, c.window)
				if d := at[1].Sub(began); d != c.first {
					t.Errorf("the second left after %v", d)
				}
				if d := at[34].Sub(began); d != c.second {
					t.Errorf("the last left after %v", d)
				}
			})
		})
	}
}

// A window that shrinks or grows while it is used is exact from the answer on, also
// for what was sent before.
func TestWindowChangesAtRunTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := make(chan time.Time, 200)
		var count atomic.Int32
		cl := New(Config{Base: "http://crm", Window: 10 * time.Second, PerWindow: 10, Limits: told, HTTP: &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) {
			sent <- time.Now()
			switch n := int(count.Add(1)); {
			case n <= 10:
				return says(10, 10, 10-n), nil
			case n <= 20:
				return says(4, 20, 0), nil
			}
			return says(20, 5, 1), nil
		})}})
		at := burst(t, cl, sent, 40)
		never(t, at[:11], 10, 10*time.Second)
		never(t, at[8:20], 4, 20*time.Second)
		never(t, at[20:], 20, 5*time.Second)
	})
}

// The first request of a new owner goes alone; one that never left leaves the next to
// ask.
func TestFirstGoesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		hold := make(chan struct{})
		cl := New(Config{Base: "http://crm", Window: 10 * time.Second, PerWindow: 10, Limits: told, HTTP: &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) {
			if n.Add(1) == 1 {
				return nil, errors.New("no route")
			}
			<-hold
			return says(10, 10, 8), nil
		})}})
		do := func() { cl.Do(t.Context(), time.Time{}, &Request{Method: "GET", Path: "/"}) }
		do() // never left
		for range 3 {
			go do()
		}
		synctest.Wait()
		if n.Load() != 2 {
			t.Errorf("%d went out before the first was answered", n.Load()-1)
		}
		close(hold)
		synctest.Wait()
		if n.Load() != 4 {
			t.Errorf("%d went out", n.Load()-1)
		}
	})
}

// Close ends what waits, whatever it waits for, and nothing leaves after it.
func TestNothingLeavesAfterClose(t *testing.T) {
	for name, busy := range map[string]func(*Client){
		"the window": func(*Client) {}, // the first is out and asks
		"a hold":     func(c *Client) { c.Hold(time.Minute) },
		"the day":    func(c *Client) { c.cfg.Daily.told(100, 100) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var n, sent, unsent atomic.Int32
				hold := make(chan struct{})
				c := New(Config{Base: "http://crm", Window: 10 * time.Second, PerWindow: 10, InFlight: 2, Daily: NewAllowance(nil, 10), HTTP: &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) {
					n.Add(1)
					<-hold
					return ok(), nil
				})}})
				do := func() {
					switch _, out, err := c.Do(t.Context(), time.Now().Add(time.Hour), &Request{Method: "GET", Path: "/"}); {
					case out == schemas.Sent && err == nil:
						sent.Add(1)
					case out == schemas.NotSent:
						if e, _ := errors.AsType[*Error](err); e == nil || e.Class != schemas.ErrAborted {
							t.Errorf("got %v", err)
						}
						unsent.Add(1)
					}
				}
				go do()
				synctest.Wait()
				busy(c)
				for range 4 { // for a place, for the turn, for the moment
					go do()
				}
				synctest.Wait()
				c.Close()
				synctest.Wait()
				if n.Load() != 1 || unsent.Load() != 4 {
					t.Errorf("%d left, %d ended unsent", n.Load(), unsent.Load())
				}
				close(hold)
				synctest.Wait()
				do()
				if n.Load() != 1 || sent.Load() != 1 || unsent.Load() != 5 {
					t.Errorf("after the end: %d left, %d answered, %d unsent", n.Load(), sent.Load(), unsent.Load())
				}
			})
		})
	}
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
		daily := NewAllowance(nil, 10)
		c := New(Config{Base: "http://crm", Daily: daily, HTTP: &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) { return ok(), nil })}})
		daily.told(90, 100)
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
		daily.told(50, 100)
		if err := soon(); err != nil {
			t.Errorf("after the allowance grew: %v", err)
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

// Whatever a server says of its window from one answer to the next, the requests that
// follow keep to it, with those that were sent before counted in; and none waits
// longer than a window of the moment.
func TestWindowOfAnyServer(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			var sends []time.Time
			most, window := 10, 10*time.Second // as configured, then as told last
			since := time.Now()                // when the request at hand was asked for
			within := func(d time.Duration) (n int) {
				for _, at := range sends {
					if time.Since(at) < d {
						n++
					}
				}
				return n
			}
			cl := New(Config{Base: "http://crm", Window: window, PerWindow: most, InFlight: 1, Limits: told, HTTP: &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) {
				sends = append(sends, time.Now())
				if n := within(window); n > most {
					t.Errorf("seed %d: %d requests in a window of %d", seed, n, most)
				}
				if d := time.Since(since); d > window+time.Second {
					t.Errorf("seed %d: waited %v in a window of %v", seed, d, window)
				}
				time.Sleep(time.Duration(rnd.IntN(50)) * time.Millisecond)
				if rnd.IntN(8) == 0 {
					most, window = 1+rnd.IntN(30), time.Duration(1+rnd.IntN(20))*time.Second
				}
				return says(most, int(window/time.Second), max(0, most-within(window))), nil
			})}})
			for range 400 {
				since = time.Now()
				if _, _, err := cl.Do(t.Context(), time.Time{}, &Request{Method: "GET", Path: "/"}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(rnd.IntN(300)) * time.Millisecond)
			}
		})
	}
}
