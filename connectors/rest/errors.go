package rest

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/schemas"
)

// Error is why there is no answer, or what an answer that is an error means.
type Error struct {
	Class      string        // one of schemas.Err…
	Code       string        // the CRM's own code; "" = none
	Message    string        // redacted
	RetryAfter time.Duration // 0 = not said
	Status     int           // HTTP status; 0 = no answer
	err        error
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Message
	if e.Code != "" {
		s = e.Code + ": " + s
	}
	return e.Class + ": " + s
}

// Unwrap returns the cause, if it is one of ours.
func (e *Error) Unwrap() error { return e.err }

// ErrorClass is Class, for those who do not know this package.
func (e *Error) ErrorClass() string { return e.Class }

// ClassOf returns the class of an error; schemas.ErrTransient if it says none.
func ClassOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return schemas.ErrTransient
}

// RetryAfter reads the header of that name, in seconds or as a date, a day at the
// most; 0 = not said.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if s, err := strconv.ParseInt(v, 10, 32); err == nil {
		return min(time.Duration(max(0, s))*time.Second, longestWait)
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(0, t.Sub(now)), longestWait)
	}
	return 0
}

const longestWait = 24 * time.Hour
