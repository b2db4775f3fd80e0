package sim

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	burstInterval  = 10 * time.Second
	searchInterval = time.Second
	searchMax      = 5 // requests a second and account
)

// window is an exact sliding window: a request is let through when fewer than max others were let
// through in the interval that ends with it. A refused request takes no room.
type window struct {
	interval time.Duration
	max      int
	times    []time.Time // of what was let through, oldest first, all within the interval
}

// take reports whether a request may pass at now, and books it if so.
func (w *window) take(now time.Time) bool {
	w.expire(now)
	if len(w.times) >= w.max {
		return false
	}
	w.times = append(w.times, now)
	return true
}

func (w *window) expire(now time.Time) {
	i := 0
	for i < len(w.times) && now.Sub(w.times[i]) >= w.interval {
		i++
	}
	w.times = w.times[i:]
}

// since counts what was let through in the last d.
func (w *window) since(now time.Time, d time.Duration) int {
	n := 0
	for i := len(w.times) - 1; i >= 0 && now.Sub(w.times[i]) < d; i-- {
		n++
	}
	return n
}

// dayCount counts an account's requests of one day.
type dayCount struct {
	day  int64
	used int
}

func (d *dayCount) at(now time.Time) int {
	if day := now.UTC().Unix() / 86_400; day != d.day {
		d.day, d.used = day, 0
	}
	return d.used
}

// admit applies the limits to one request and sets the headers that tell of them. The caller holds
// the portal's mutex.
func (p *portal) admit(h http.Header, tok *token, search bool, now time.Time) error {
	if p.day.at(now) >= p.cfg.Daily {
		p.stats.RateLimited++
		e := rateLimited("daily", "DAILY", "")
		e.body.RequestID = newUUID(now)
		return e
	}
	if search {
		if !p.searches.take(now) {
			p.stats.RateLimited++
			return rateLimited("secondly", "SECONDLY", fmt.Sprintf("publicapi:crm:search:oauth:%d:%d", tok.appID, p.id))
		}
		p.day.used++
		return nil
	}
	ok := tok.window.take(now)
	if ok {
		p.day.used++
	} else {
		p.stats.RateLimited++
	}
	burst := tok.window.max
	secondly := burst / 10
	for name, value := range map[string]int{
		"Daily":                 p.cfg.Daily,
		"Daily-Remaining":       p.cfg.Daily - p.day.used,
		"Interval-Milliseconds": int(burstInterval / time.Millisecond),
		"Max":                   burst,
		"Remaining":             burst - len(tok.window.times),
		"Secondly":              secondly,
		"Secondly-Remaining":    max(0, secondly-tok.window.since(now, time.Second)),
	} {
		h.Set("X-HubSpot-RateLimit-"+name, strconv.Itoa(value))
	}
	if !ok {
		return rateLimited("ten_secondly_rolling", "TEN_SECONDLY_ROLLING",
			fmt.Sprintf("publicapi:private_app-api-calls-ten-secondly:%d:%d", tok.appID, p.id))
	}
	return nil
}

func rateLimited(limit, policy, group string) *apiError {
	return &apiError{status: http.StatusTooManyRequests, body: errorBody{
		Status: "error", Message: fmt.Sprintf("You have reached your %s limit.", limit),
		ErrorType: "RATE_LIMIT", PolicyName: policy, GroupName: group,
	}}
}
