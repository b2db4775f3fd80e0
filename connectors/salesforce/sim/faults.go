package sim

// Serves POST, GET and DELETE /_sim/faults: misbehaviour on order.
//
//	{"kind":"status","count":2,"path":"/services/data/","status":503}          answered so, not applied; code and message optional
//	{"kind":"status_after_apply","status":500}                                 applied, then answered so
//	{"kind":"delay","delay_ms":1500,"contains":"/composite/sobjects"}          served late
//	{"kind":"drop"}                                                            connection closed, not applied
//	{"kind":"drop_after_apply","method":"PATCH","contains":"/composite/"}      applied, then closed without an answer
//	{"kind":"item_error","object":"Task","code":"UNABLE_TO_LOCK_ROW","message":"…"}  the next rows written fail so
//	{"kind":"unknown_client"}                                                  a /meta/connect loses its client: 403::Unknown client
//	{"kind":"server_busy"}                                                     a /meta/connect gets the 503 in its Bayeux form
//	{"kind":"invalid_replay"}                                                  a subscribe gets the invalid replay id error
//	{"kind":"withhold_events"}                                                 a /meta/connect sees no events
//	{"kind":"expire_sessions"}, "expire_events", "expire_cursors"              done at once: tokens, retained events, locators end
//
// count is how many requests (rows, messages) it hits: 0 is 1, below 0 is until deleted. org, method, path (a prefix) and contains
// narrow it. Faults are tried in the order in which they came; delays add up, of the others the first one wins.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// fault is one armed misbehaviour.
type fault struct {
	Kind     string `json:"kind"`
	Count    int    `json:"count"`
	Org      string `json:"org,omitempty"`
	Method   string `json:"method,omitempty"`
	Path     string `json:"path,omitempty"`
	Contains string `json:"contains,omitempty"`
	Object   string `json:"object,omitempty"`
	Status   int    `json:"status,omitempty"`
	Code     string `json:"code,omitempty"`
	Message  string `json:"message,omitempty"`
	DelayMS  int    `json:"delay_ms,omitempty"`
}

var requestFaults = []string{"status", "status_after_apply", "delay", "drop", "drop_after_apply"}
var innerFaults = []string{"item_error", "unknown_client", "server_busy", "invalid_replay", "withhold_events"}
var instantFaults = []string{"expire_sessions", "expire_events", "expire_cursors"}

// faultList holds the armed faults. Its mutex is taken below an org's and never the other way round.
type faultList struct {
	mu    sync.Mutex
	armed []*fault
}

// take removes one use of the first fault that fits, and returns it.
func (l *faultList) take(fits func(*fault) bool) *fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.armed, fits)
	if i < 0 {
		return nil
	}
	f := l.armed[i]
	if f.Count--; f.Count == 0 {
		l.armed = slices.Delete(l.armed, i, i+1)
	}
	return f
}

// inner takes a fault that strikes within an org.
func (l *faultList) inner(kind, orgID string) *fault {
	return l.take(func(f *fault) bool { return f.Kind == kind && (f.Org == "" || f.Org == orgID) })
}

// injectedItemError is the error armed for the next row of an object, if there is one.
func (o *org) injectedItemError(obj *object) *apiError {
	f := o.srv.faults.take(func(f *fault) bool {
		return f.Kind == "item_error" && (f.Org == "" || f.Org == o.id) && (f.Object == "" || f.Object == obj.name)
	})
	if f == nil {
		return nil
	}
	return &apiError{status: http.StatusBadRequest, code: f.Code, message: f.Message, fields: []string{}}
}

// withFaults serves a request by next, unless a fault has it otherwise.
func (s *Server) withFaults(w http.ResponseWriter, r *http.Request, o *org, next func(http.ResponseWriter)) {
	fits := func(f *fault) bool {
		return slices.Contains(requestFaults, f.Kind) && (f.Org == "" || o != nil && f.Org == o.id) &&
			(f.Method == "" || strings.EqualFold(f.Method, r.Method)) && strings.HasPrefix(r.URL.Path, f.Path) && strings.Contains(r.URL.Path, f.Contains)
	}
	var wait time.Duration
	var hit *fault
	s.faults.mu.Lock()
	s.faults.armed = slices.DeleteFunc(s.faults.armed, func(f *fault) bool {
		switch {
		case !fits(f) || f.Kind != "delay" && hit != nil:
			return false
		case f.Kind == "delay":
			wait += time.Duration(f.DelayMS) * time.Millisecond
		default:
			c := *f
			hit = &c
		}
		f.Count--
		return f.Count == 0
	})
	s.faults.mu.Unlock()
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.done:
		}
	}
	if hit == nil {
		next(w)
		return
	}
	if strings.HasSuffix(hit.Kind, "_after_apply") {
		next(httptest.NewRecorder()) // the answer nobody sees
	}
	if strings.HasPrefix(hit.Kind, "drop") {
		panic(http.ErrAbortHandler) // net/http closes the connection without a word
	}
	answerFault(w, hit)
}

// answerFault answers a status with the body the vendor would send with it.
func answerFault(w http.ResponseWriter, f *fault) {
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

func (s *Server) addFault(w http.ResponseWriter, r *http.Request) {
	var f fault
	if !readOwn(w, r, &f) {
		return
	}
	if f.Org != "" {
		o := s.ownOrg(w, f.Org)
		if o == nil {
			return
		}
		f.Org = o.id
	}
	if f.Count == 0 {
		f.Count = 1
	}
	switch {
	case slices.Contains(instantFaults, f.Kind):
		if err := s.strike(f); err != nil {
			ownError(w, http.StatusInternalServerError, err.Error())
			return
		}
	case !slices.Contains(requestFaults, f.Kind) && !slices.Contains(innerFaults, f.Kind):
		ownError(w, http.StatusBadRequest, "unknown kind "+f.Kind)
		return
	case strings.HasPrefix(f.Kind, "status") && (f.Status < 200 || f.Status > 599):
		ownError(w, http.StatusBadRequest, "status must be 200 to 599")
		return
	case f.Kind == "item_error" && f.Code == "":
		ownError(w, http.StatusBadRequest, "item_error needs a code")
		return
	default:
		s.faults.mu.Lock()
		s.faults.armed = append(s.faults.armed, &f)
		s.faults.mu.Unlock()
	}
	writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
}

// strike carries out a fault that needs no request.
func (s *Server) strike(f fault) error {
	for _, id := range s.order {
		if f.Org != "" && f.Org != id {
			continue
		}
		if err := s.orgs[id].strike(f.Kind); err != nil {
			return err
		}
	}
	return nil
}

func (o *org) strike(kind string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch kind {
	case "expire_sessions":
		for hash := range o.sessions {
			if _, err := o.log.append(logLine{Revoke: hash}); err != nil {
				return err
			}
			o.dropToken(hash)
		}
	case "expire_events":
		if o.lastReplay > 0 {
			if _, err := o.log.append(logLine{Purge: o.lastReplay}); err != nil {
				return err
			}
			o.dropEvents(o.lastReplay)
		}
	case "expire_cursors":
		clear(o.cursors)
	}
	return nil
}

func (s *Server) listFaults(w http.ResponseWriter, _ *http.Request) {
	s.faults.mu.Lock()
	body, err := json.Marshal(append([]*fault{}, s.faults.armed...))
	s.faults.mu.Unlock()
	if err != nil {
		ownError(w, http.StatusInternalServerError, err.Error())
		return
	}
	writeRaw(w, http.StatusOK, body)
}

func (s *Server) clearFaults(w http.ResponseWriter, _ *http.Request) {
	s.faults.mu.Lock()
	s.faults.armed = nil
	s.faults.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
}
