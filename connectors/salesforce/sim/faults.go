package sim

// Serves POST, GET and DELETE /_sim/faults: misbehaviour on order. Beside the kinds of every simulator there are:
//
//	{"kind":"item_error","object":"Task","code":"UNABLE_TO_LOCK_ROW","message":"…"}  the next rows written fail so
//	{"kind":"unknown_client"}                                                  a /meta/connect loses its client: 403::Unknown client
//	{"kind":"server_busy"}                                                     a /meta/connect gets the 503 in its Bayeux form
//	{"kind":"invalid_replay"}                                                  a subscribe gets the invalid replay id error
//	{"kind":"withhold_events"}                                                 a /meta/connect sees no events
//	{"kind":"expire_sessions"}, "expire_events", "expire_cursors"              done at once: tokens, retained events, locators end
//
// A status has the vendor's body for it unless code and message are given; "org" names an org.

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/crmstream/crmstream/connectors/simkit"
)

var innerFaults = []string{"item_error", "unknown_client", "server_busy", "invalid_replay", "withhold_events"}

// struck reports whether a fault of that kind strikes within an org.
func (o *org) struck(kind string) bool {
	_, ok := o.srv.faults.Take(o.id, nil, kind)
	return ok
}

// injectedItemError is the error armed for the next row of an object, if there is one.
func (o *org) injectedItemError(obj *object) *apiError {
	f, ok := o.srv.faults.Take(o.id, func(f *simkit.Fault) bool { return f.Object == "" || f.Object == obj.name }, "item_error")
	if !ok {
		return nil
	}
	return &apiError{status: http.StatusBadRequest, code: f.Code, message: f.Message, fields: []string{}}
}

// answerFault answers a status with the body the vendor would send with it.
func answerFault(w http.ResponseWriter, f simkit.Fault) {
	e := &apiError{status: f.Status, code: f.Code, message: f.Message}
	if f.Code == "" {
		switch f.Status {
		case http.StatusUnauthorized:
			e = invalidSession()
		case http.StatusForbidden:
			e = limitExceeded()
		case http.StatusInternalServerError:
			e = internalError()
		case http.StatusServiceUnavailable, http.StatusBadGateway:
			w.Header().Set("Content-Type", "text/html;charset=UTF-8")
			w.WriteHeader(f.Status)
			_, _ = fmt.Fprint(w, "<html><head><title>Server Unavailable</title></head><body>Server Unavailable/too many requests</body></html>")
			return
		case http.StatusNotAcceptable: // empty at the vendor's edge
			w.WriteHeader(f.Status)
			return
		default:
			e.code, e.message = "UNKNOWN_EXCEPTION", "An unexpected error occurred."
		}
	}
	writeError(w, e)
}

// strike carries out a fault that needs no request; false = it is none of those.
func (s *Server) strike(f simkit.Fault) (bool, error) {
	if f.Kind != "expire_sessions" && f.Kind != "expire_events" && f.Kind != "expire_cursors" {
		return false, nil
	}
	var errs []error
	for _, id := range s.order {
		if f.Account == "" || f.Account == id {
			errs = append(errs, s.orgs[id].strike(f.Kind))
		}
	}
	return true, errors.Join(errs...)
}

func (o *org) strike(kind string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch kind {
	case "expire_sessions":
		for hash := range o.sessions {
			if _, err := o.log.Append(logLine{Revoke: hash}); err != nil {
				return err
			}
			o.dropToken(hash)
		}
	case "expire_events":
		if o.lastReplay > 0 {
			if _, err := o.log.Append(logLine{Purge: o.lastReplay}); err != nil {
				return err
			}
			o.dropEvents(o.lastReplay)
		}
	case "expire_cursors":
		clear(o.cursors)
	}
	return nil
}
