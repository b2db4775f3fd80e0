package sim

// Serves POST, GET and DELETE /_sim/faults: misbehaviour on order. Beside the kinds of every simulator there are:
//
//	webhook_drop       a delivery is lost on its way (and counts as failed)
//	webhook_duplicate  a delivery is made twice
//	webhook_delay      a delivery is made delay_ms late; later ones pass it
//	webhook_late       a delivery arrives, and its answer comes too late (it counts as failed)
//
// A status has code as its category, of a 429 as its policy, and message; "portal" names a portal.

import (
	"net/http"
	"strings"

	"github.com/crmstream/crmstream/connectors/simkit"
)

var webhookFaults = []string{"webhook_drop", "webhook_duplicate", "webhook_delay", "webhook_late"}

// answerFault answers a status with the body the vendor would send with it.
func (s *Server) answerFault(w http.ResponseWriter, f simkit.Fault) {
	var e *apiError
	switch {
	case f.Status == http.StatusTooManyRequests:
		policy := f.Code
		if policy == "" {
			policy = "TEN_SECONDLY_ROLLING"
		}
		e = rateLimited(strings.ToLower(policy), policy, "")
	case f.Code == "" && f.Status == http.StatusUnauthorized:
		e = unauthenticated()
	case f.Code == "" && f.Status >= 500:
		s.writeError(w, newError(f.Status, "", "internal error"))
		return
	default:
		e = newError(f.Status, f.Code, "%s", f.Message)
	}
	if f.Message != "" {
		e.body.Message = f.Message
	}
	s.writeError(w, e)
}
