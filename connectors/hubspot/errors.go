package hubspot

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

const (
	dailyHold     = 15 * time.Minute // the allowance comes back at the portal's midnight
	rollingHold   = 5 * time.Second  // half a window has left it by then
	secondlyHold  = time.Second
	lockedHold    = 2 * time.Second
	migrationHold = 15 * time.Minute
)

// fault is an error body, and an entry of a batch's errors. Every part is optional.
type fault struct {
	Category    string              `json:"category"`
	SubCategory string              `json:"subCategory"`
	ErrorType   string              `json:"errorType"`
	Policy      string              `json:"policyName"`
	Message     string              `json:"message"`
	Context     map[string][]string `json:"context"`
	Errors      []struct {
		Message string              `json:"message"`
		Code    string              `json:"code"`
		Context map[string][]string `json:"context"`
	} `json:"errors"`
}

func (f *fault) code() string {
	for _, e := range f.Errors {
		if e.Code != "" {
			return e.Code
		}
	}
	for _, s := range []string{f.Category, f.ErrorType, f.SubCategory} {
		if s != "" {
			return s
		}
	}
	return ""
}

var named = regexp.MustCompile(`\\?"name\\?":\\?"([A-Za-z0-9_]+)\\?"`)

// fields are the properties that the error names: in its own errors, or in the JSON
// that validation messages carry as text.
func (f *fault) fields() []string {
	var out []string
	add := func(s string) {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, s := range f.Context["propertyName"] {
		add(s)
	}
	for _, e := range f.Errors {
		for _, s := range e.Context["propertyName"] {
			add(s)
		}
	}
	for _, m := range named.FindAllStringSubmatch(f.Message, -1) {
		add(m[1])
	}
	return out
}

var existing = regexp.MustCompile(`Existing ID: ?([0-9]+)`)

// classify returns the class of one record's error, and the id that it names.
func classify(f *fault) (class, id string) {
	if m := existing.FindStringSubmatch(f.Message); m != nil {
		id = m[1]
	} else if ids := f.Context["existingId"]; len(ids) > 0 && number.MatchString(ids[0]) {
		id = ids[0]
	}
	low := strings.ToLower(f.Message)
	switch {
	case id != "":
		return schemas.ErrConflict, id
	case strings.Contains(low, "duplicate ids") || strings.Contains(low, "duplicate id found") || strings.Contains(low, "must be unique"):
		return schemas.ErrDuplicates, ""
	case f.Category == "OBJECT_NOT_FOUND" || low == "resource not found":
		return schemas.ErrNotFound, ""
	case f.ErrorType == "RATE_LIMIT" || f.Category == "RATE_LIMITS":
		return schemas.ErrThrottled, ""
	case f.Category == "CONFLICT" && !strings.Contains(low, "already exists"):
		return schemas.ErrTransient, "" // somebody else wrote the record at the same moment
	case f.Category == "INTERNAL_ERROR" || f.Category == "SERVICE_UNAVAILABLE" || f.Category == "TIMEOUT":
		return schemas.ErrTransient, ""
	}
	return schemas.ErrPermanent, ""
}

// written is classify for a record that is written: a create or an upsert does not
// need the record itself, so what is not found is something that it names.
func (a *attempt) written(f *fault) (class, id string) {
	class, id = classify(f)
	if class == schemas.ErrNotFound && a.At.Operation != schemas.OpUpdate {
		class = schemas.ErrPermanent
	}
	return class, id
}

// parse reads an error body; HTML and nothing at all give the zero fault.
func parse(body []byte) (f fault, ok bool) {
	if json.Unmarshal(body, &f) != nil {
		// A context of another form must not cost the category.
		var plain struct {
			Category, ErrorType, PolicyName, Message string
		}
		if json.Unmarshal(body, &plain) != nil {
			return fault{}, false
		}
		f = fault{Category: plain.Category, ErrorType: plain.ErrorType, Policy: plain.PolicyName, Message: plain.Message}
	}
	return f, f.Message != "" || f.Category != ""
}

// whole says what an answer that is no 2xx means for the request, and whether it
// was certainly not applied. ErrBatch stands for any record's error: the caller
// knows how many there were.
func whole(res *rest.Response, now time.Time) (e *rest.Error, applied rest.Outcome) {
	f, said := parse(res.Body)
	e = &rest.Error{Status: res.Status, Code: f.code(), Message: rest.Redact(f.Message), RetryAfter: rest.RetryAfter(res.Header, now)}
	if e.Message == "" {
		e.Message = http.StatusText(res.Status)
	}
	applied = schemas.NotSent
	hold := func(d time.Duration) {
		if e.RetryAfter == 0 {
			e.RetryAfter = d
		}
	}
	switch {
	case res.Status == http.StatusTooManyRequests:
		e.Class = schemas.ErrThrottled
		hold(limitHold(&f))
	case res.Status == http.StatusUnauthorized:
		e.Class = schemas.ErrAuth
	case res.Status == http.StatusForbidden:
		e.Class = schemas.ErrForbidden
	case res.Status == http.StatusLocked: // too much at once for the same records
		e.Class = schemas.ErrThrottled
		hold(lockedHold)
	case res.Status == 477: // the portal moves between data centres
		e.Class = schemas.ErrThrottled
		hold(migrationHold)
	case res.Status >= 500 || res.Status == http.StatusRequestTimeout:
		// It may have been applied before the answer was lost on its way.
		e.Class, applied = schemas.ErrTransient, schemas.Unknown
	case res.Status == http.StatusNotFound && said:
		e.Class = schemas.ErrNotFound
	case res.Status == http.StatusNotFound, res.Status == http.StatusMethodNotAllowed, res.Status < 400:
		// No such route, or a redirect: no record's fault, and not mended by trying.
		e.Class = schemas.ErrForbidden
	default:
		e.Class = schemas.ErrBatch
	}
	return e, applied
}

func limitHold(f *fault) time.Duration {
	low := strings.ToLower(f.Message)
	switch {
	case f.Policy == "DAILY" || strings.Contains(low, "daily limit"):
		return dailyHold
	case f.Policy == "SECONDLY" || strings.Contains(low, "your secondly limit"):
		return secondlyHold
	}
	return rollingHold
}
