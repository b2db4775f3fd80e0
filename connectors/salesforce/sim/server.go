package sim

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crmstream/crmstream/connectors/simkit"
)

// Server is a simulated Salesforce holding one or more orgs. Safe for concurrent use.
type Server struct {
	cfg    Config
	now    func() time.Time
	log    *slog.Logger
	orgs   map[string]*org // by 18-character id; fixed after New
	order  []string
	faults *simkit.Faults
	ledger *simkit.Ledger
	done   chan struct{} // closed by Close
	once   sync.Once
}

// New opens the orgs found in cfg.Dir and creates those of cfg.Orgs that are not there yet. It starts no goroutine. An error names
// every org that is misconfigured, or the damaged log and the place in it.
func New(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg, now: cfg.Now, log: cfg.Logger, orgs: map[string]*org{}, ledger: simkit.NewLedger(), done: make(chan struct{})}
	s.faults = simkit.NewFaults(innerFaults, canonicalID, s.strike)
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.cfg.PollHold <= 0 || s.cfg.PollHold > maxPollHold {
		s.cfg.PollHold = maxPollHold
	}
	if s.cfg.ClientExpiry <= 0 {
		s.cfg.ClientExpiry = defaultExpiry
	}
	s.cfg.BaseURL = strings.TrimSuffix(s.cfg.BaseURL, "/")
	given := map[string]*OrgConfig{}
	var errs []error
	for _, oc := range cfg.Orgs {
		n, err := oc.normalize()
		if err == nil && given[n.ID] != nil {
			err = fmt.Errorf("org %s: configured twice", n.ID)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		given[n.ID] = &n
		s.order = append(s.order, n.ID)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	stored, err := simkit.Stored(cfg.Dir, "00D")
	if err != nil {
		return nil, err
	}
	for _, rest := range stored { // orgs that the configuration does not name
		if id, ok := canonicalID("00D" + rest); ok && !slices.Contains(s.order, id) {
			s.order = append(s.order, id)
		}
	}
	for _, id := range s.order {
		o, err := openOrg(s, id, given[id])
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.orgs[id] = o
	}
	return s, nil
}

// Close ends held long polls and closes the logs. With a data folder, writes that come later are answered with errors. It may be
// called twice.
func (s *Server) Close() error {
	var errs []error
	s.once.Do(func() {
		close(s.done)
		for _, o := range s.orgs {
			o.mu.Lock()
			errs = append(errs, o.log.Close())
			o.mu.Unlock()
		}
	})
	return errors.Join(errs...)
}

// Arm arms a fault, as POST /_sim/faults does.
func (s *Server) Arm(f simkit.Fault) error { return s.faults.Arm(f) }

// Handler serves the vendor's endpoints, and the simulator's own below /_sim/. The caller sets the http.Server's timeouts; its
// WriteTimeout, if any, must exceed PollHold.
func (s *Server) Handler() http.Handler {
	return simkit.Split(s.ownSurface(), s.vendor)
}

// vendor is the way of every vendor request: name its kind, count it, let an armed fault have it, serve it.
func (s *Server) vendor(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost { // for clients whose HTTP library knows no PATCH
		if m := r.URL.Query().Get("_HttpMethod"); m != "" {
			r.Method = strings.ToUpper(m)
		}
	}
	segs, ok := splitPath(r.URL.EscapedPath())
	if !ok {
		writeError(w, notFound())
		return
	}
	kind := requestKind(r.Method, segs)
	o := s.orgOfToken(bearer(r))
	if o != nil {
		o.mu.Lock()
		o.counts[kind]++
		o.mu.Unlock()
	}
	s.log.Debug("request", "method", r.Method, "path", r.URL.Path, "kind", kind)
	account := ""
	if o != nil {
		account = o.id
	}
	body := simkit.Receive(r, maxBody)
	if o != nil {
		r, _ = s.ledger.Begin(r, account, writtenItems(r.Method, segs, r.URL.Query(), body))
	}
	s.faults.Serve(w, r, account, s.done, func(w http.ResponseWriter) { s.route(w, r, segs) }, answerFault)
}

// route finds the endpoint family.
func (s *Server) route(w http.ResponseWriter, r *http.Request, segs []string) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	switch {
	case len(segs) == 3 && segs[0] == "services" && segs[1] == "oauth2":
		s.serveOAuth(w, r, segs[2])
	case len(segs) == 3 && segs[0] == "id":
		s.serveIdentity(w, r, segs[1], segs[2])
	case len(segs) >= 2 && segs[0] == "services" && segs[1] == "data":
		s.serveData(w, r, segs[2:])
	case len(segs) >= 2 && segs[0] == "cometd":
		s.serveComet(w, r, segs[1])
	default:
		writeError(w, notFound())
	}
}

// splitPath splits an escaped path and unescapes each segment, so that an external id may hold an escaped slash.
func splitPath(escaped string) ([]string, bool) {
	segs := strings.Split(strings.Trim(escaped, "/"), "/")
	for i, seg := range segs {
		u, err := pathUnescape(seg)
		if err != nil {
			return nil, false
		}
		segs[i] = u
	}
	return segs, true
}

// requestKind is the name a request is counted under at /_sim/requests.
func requestKind(method string, segs []string) string {
	at := func(i int) string {
		if i < len(segs) {
			return segs[i]
		}
		return ""
	}
	switch {
	case at(0) == "cometd":
		return "cometd"
	case at(1) == "oauth2":
		return map[string]string{"token": "login", "revoke": "revoke"}[at(2)]
	case at(0) == "id":
		return "identity"
	case at(1) != "data" || at(3) == "":
		return "versions"
	}
	switch at(3) {
	case "query", "queryAll":
		return "query"
	case "search":
		return "search"
	case "composite":
		if method == http.MethodGet || method == http.MethodPost && at(5) != "" {
			return "collections_read"
		}
		return "collections"
	case "limits":
		return "limits"
	case "sobjects":
		switch {
		case at(5) == "describe" || at(4) == "":
			return "describe"
		case method == http.MethodGet || method == http.MethodHead:
			return "read"
		}
		return "single_write"
	}
	return "other"
}

// orgOfToken finds the org a token claims to be of; nil if there is none. The token is not verified.
func (s *Server) orgOfToken(token string) *org {
	org15, _, ok := strings.Cut(token, "!")
	if !ok || len(org15) != shortIDLen {
		return nil
	}
	return s.orgs[org15+idSuffix(org15)]
}

// base is the server's own URL as its clients see it.
func (s *Server) base(r *http.Request) string {
	if s.cfg.BaseURL != "" {
		return s.cfg.BaseURL
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
