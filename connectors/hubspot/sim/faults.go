package sim

// Faults are armed by POST /_sim/faults {kind, count, portal, method, path, contains, status, delay_ms}:
//
//	status             answer with status and do nothing
//	status_after_apply do it, then answer with status
//	delay              wait delay_ms first
//	drop               close the connection and do nothing
//	drop_after_apply   do it, then close the connection without an answer
//	webhook_drop       a delivery is lost on its way (and counts as failed)
//	webhook_duplicate  a delivery is made twice
//
// count 0 is 1, negative is until DELETE /_sim/faults. path is a prefix, contains a part of the path.

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

type fault struct {
	Kind     string `json:"kind"`
	Count    int    `json:"count"`
	Portal   int64  `json:"portal,omitempty"`
	Method   string `json:"method,omitempty"`
	Path     string `json:"path,omitempty"`
	Contains string `json:"contains,omitempty"`
	Status   int    `json:"status,omitempty"`
	DelayMS  int    `json:"delay_ms,omitempty"`
}

var faultKinds = []string{"status", "status_after_apply", "delay", "drop", "drop_after_apply", "webhook_drop", "webhook_duplicate"}

type faultList struct {
	mu   sync.Mutex
	list []*fault
}

// take returns the first armed fault that match accepts, and uses it up.
func (l *faultList) take(match func(*fault) bool) *fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.list, match)
	if i < 0 {
		return nil
	}
	f := *l.list[i]
	if l.list[i].Count > 0 {
		if l.list[i].Count--; l.list[i].Count == 0 {
			l.list = slices.Delete(l.list, i, i+1)
		}
	}
	return &f
}

// webhook says how often a delivery is made, and whether it is lost.
func (l *faultList) webhook(portal int64) (copies int, drop bool) {
	f := l.take(func(f *fault) bool {
		return strings.HasPrefix(f.Kind, "webhook_") && (f.Portal == 0 || f.Portal == portal)
	})
	switch {
	case f == nil:
		return 1, false
	case f.Kind == "webhook_duplicate":
		return 2, false
	}
	return 0, true
}

// withFaults lets an armed fault have a request, else serves it.
func (s *Server) withFaults(w http.ResponseWriter, r *http.Request, p *portal, serve func(http.ResponseWriter)) {
	f := s.faults.take(func(f *fault) bool {
		return !strings.HasPrefix(f.Kind, "webhook_") && (f.Portal == 0 || p != nil && f.Portal == p.id) && (f.Method == "" || f.Method == r.Method) &&
			strings.HasPrefix(r.URL.Path, f.Path) && strings.Contains(r.URL.Path, f.Contains)
	})
	if f == nil {
		serve(w)
		return
	}
	status := f.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	switch f.Kind {
	case "status":
		s.writeError(w, newError(status, "", "internal error"))
	case "delay":
		select {
		case <-time.After(time.Duration(f.DelayMS) * time.Millisecond):
			serve(w)
		case <-r.Context().Done():
		case <-s.ctx.Done():
		}
	case "drop":
		panic(http.ErrAbortHandler)
	case "drop_after_apply":
		serve(httptest.NewRecorder())
		panic(http.ErrAbortHandler)
	case "status_after_apply":
		serve(httptest.NewRecorder())
		s.writeError(w, newError(status, "", "internal error"))
	}
}
