package salesforce

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

const (
	dailyHold      = 15 * time.Minute // the allowance is a rolling 24 h: it grows by the hour
	concurrentHold = 5 * time.Second
)

// fault is one entry of an error body. Whole answers say errorCode, items of a
// Collections answer statusCode.
type fault struct {
	ErrorCode  string   `json:"errorCode"`
	StatusCode string   `json:"statusCode"`
	Message    string   `json:"message"`
	Fields     []string `json:"fields"`
}

func (f fault) code() string {
	if f.StatusCode != "" {
		return f.StatusCode
	}
	return f.ErrorCode
}

// classes of the CRM's codes; a code that is not here is permanent for its record.
var classes = map[string]string{
	"UNABLE_TO_LOCK_ROW": schemas.ErrTransient, "QUERY_TIMEOUT": schemas.ErrTransient,
	"SERVER_UNAVAILABLE": schemas.ErrTransient, "UNKNOWN_EXCEPTION": schemas.ErrTransient,
	"TXN_SECURITY_METERING_ERROR": schemas.ErrTransient, "ALL_OR_NONE_OPERATION_ROLLED_BACK": schemas.ErrTransient,
	"PROCESSING_HALTED": schemas.ErrTransient, "REQUEST_RUNNING_TOO_LONG": schemas.ErrTransient,
	"REQUEST_LIMIT_EXCEEDED": schemas.ErrThrottled,
	"INVALID_SESSION_ID":     schemas.ErrAuth, "INVALID_AUTH_HEADER": schemas.ErrAuth,
	"API_DISABLED_FOR_ORG": schemas.ErrForbidden, "API_CURRENTLY_DISABLED": schemas.ErrForbidden,
	"FUNCTIONALITY_NOT_ENABLED": schemas.ErrForbidden,
	// No record's fault: the org has no room for any.
	"STORAGE_LIMIT_EXCEEDED": schemas.ErrForbidden,
	"ENTITY_IS_DELETED":      schemas.ErrNotFound, "NOT_FOUND": schemas.ErrNotFound,
}

var onRecord = regexp.MustCompile(`record with id: ([A-Za-z0-9]{15,18})`)

// classify returns the class of one item's error, and the id that it names.
func classify(f fault) (class, id string) {
	switch code := f.code(); code {
	case "DUPLICATE_VALUE":
		if m := onRecord.FindStringSubmatch(f.Message); m != nil {
			return schemas.ErrConflict, NormalizeID(m[1])
		}
		if strings.HasPrefix(f.Message, "Duplicate external id specified") {
			return schemas.ErrDuplicates, ""
		}
		return schemas.ErrTransient, "" // lost a race for a unique value: the next try finds it
	default:
		// A customer's trigger may wrap a lock's text in its own code.
		if strings.Contains(f.Message, "UNABLE_TO_LOCK_ROW") {
			return schemas.ErrTransient, ""
		}
		if c, ok := classes[code]; ok {
			return c, ""
		}
		return schemas.ErrPermanent, ""
	}
}

// faults reads an error body: an array, a bare object, HTML or nothing.
func faults(body []byte) []fault {
	var fs []fault
	if json.Unmarshal(body, &fs) == nil {
		return fs
	}
	var one fault
	if json.Unmarshal(body, &one) == nil && one.code() != "" {
		return []fault{one}
	}
	return nil
}

// whole says what an answer that is no 2xx means for the request, and whether it
// was certainly not applied.
func whole(res *rest.Response, now time.Time) (e *rest.Error, applied rest.Outcome) {
	var f fault
	if fs := faults(res.Body); len(fs) > 0 {
		f = fs[0]
	}
	e = &rest.Error{Status: res.Status, Code: f.code(), Message: rest.Redact(f.Message)}
	if e.Message == "" {
		e.Message = http.StatusText(res.Status)
	}
	applied = schemas.NotSent
	class, _ := classify(f)
	switch {
	case res.Status == http.StatusTooManyRequests || class == schemas.ErrThrottled:
		e.Class, e.RetryAfter = schemas.ErrThrottled, rest.RetryAfter(res.Header, now)
		if e.RetryAfter == 0 {
			e.RetryAfter = concurrentHold
			if strings.HasPrefix(f.Message, "TotalRequests") {
				e.RetryAfter = dailyHold
			}
		}
	case res.Status == http.StatusUnauthorized:
		e.Class = schemas.ErrAuth
	case res.Status >= 500:
		// It may have been applied before the answer was lost on its way.
		e.Class, e.RetryAfter, applied = schemas.ErrTransient, rest.RetryAfter(res.Header, now), schemas.Unknown
	case res.Status == 406 || res.Status == 420: // the edge: nothing reached the org
		e.Class, e.RetryAfter = schemas.ErrTransient, rest.RetryAfter(res.Header, now)
	case strings.HasPrefix(f.code(), "INSUFFICIENT_ACCESS_"): // to one of the records (B37)
		e.Class = schemas.ErrBatch
	case res.Status == http.StatusForbidden:
		e.Class = schemas.ErrForbidden
	case class == schemas.ErrTransient && f.code() != "", class == schemas.ErrForbidden:
		e.Class = class
	case f.code() == "ENTITY_IS_DELETED":
		e.Class = schemas.ErrBatch // one of the records
	case res.Status == http.StatusNotFound, res.Status == http.StatusMethodNotAllowed, res.Status == http.StatusUnsupportedMediaType:
		// The object or external id field is not there for this user: no record's
		// fault, and not mended by trying.
		e.Class = schemas.ErrForbidden
	case res.Status >= 300 && res.Status < 400:
		e.Class = schemas.ErrForbidden
	default:
		e.Class = schemas.ErrBatch
	}
	return e, applied
}
