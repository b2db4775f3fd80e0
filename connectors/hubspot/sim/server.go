package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crmstream/crmstream/connectors/simkit"
)

// Server is a simulated HubSpot holding one or more portals. Safe for concurrent use.
type Server struct {
	cfg     Config
	portals map[int64]*portal // fixed after New
	order   []int64
	faults  *simkit.Faults
	ledger  *simkit.Ledger
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	work    sync.WaitGroup // the portals' delivery loops
	once    sync.Once
}

// New opens the portals found in cfg.Dir, creates those of cfg.Portals that are not there yet, and starts delivering webhooks that
// are still owed: one goroutine a portal, ended by Close. An error names every portal that is misconfigured, or the damaged log and
// the place in it.
func New(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg.withDefaults(), portals: map[int64]*portal{}, ledger: simkit.NewLedger()}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.faults = simkit.NewFaults(webhookFaults, portalID, nil)
	given := map[int64]*PortalConfig{}
	var errs []error
	for i, pc := range cfg.Portals {
		errs = append(errs, pc.validate())
		if given[pc.ID] != nil {
			errs = append(errs, fmt.Errorf("portal %d: configured twice", pc.ID))
		}
		given[pc.ID] = &cfg.Portals[i]
		s.order = append(s.order, pc.ID)
	}
	stored, err := simkit.Stored(s.cfg.Dir, "portal-")
	errs = append(errs, err)
	for _, name := range stored { // portals that the configuration does not name
		if id, err := strconv.ParseInt(name, 10, 64); err == nil && !slices.Contains(s.order, id) {
			s.order = append(s.order, id)
		}
	}
	if err := errors.Join(errs...); err != nil {
		s.cancel()
		return nil, err
	}
	for _, id := range s.order {
		p, err := openPortal(s, id, given[id])
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.portals[id] = p
	}
	for _, p := range s.portals {
		s.work.Go(p.deliverLoop)
	}
	return s, nil
}

// Close ends the deliveries and closes the logs; what was not delivered stays owed. With a data folder, writes that come later are
// answered with errors. It may be called twice.
func (s *Server) Close() error {
	var errs []error
	s.once.Do(func() {
		s.cancel()
		s.work.Wait()
		for _, p := range s.portals {
			p.mu.Lock()
			errs = append(errs, p.log.Close())
			p.mu.Unlock()
		}
	})
	return errors.Join(errs...)
}

// Arm arms a fault, as POST /_sim/faults does.
func (s *Server) Arm(f simkit.Fault) error { return s.faults.Arm(f) }

// Handler serves the vendor's endpoints, and the simulator's own below /_sim/. The caller sets the http.Server's timeouts.
func (s *Server) Handler() http.Handler {
	return simkit.Split(s.ownSurface(), s.vendor)
}

// call is one vendor request on its way. Handlers run with the portal's mutex held and return what is to be answered.
type call struct {
	srv     *Server
	p       *portal
	tok     *token
	r       *http.Request
	q       url.Values
	body    []byte
	head    http.Header
	now     time.Time
	version string   // "v3", "2026-03"
	segs    []string // below the version
}

// handler answers a request. status 0 with no error never occurs.
type handler func(c *call) (status int, body any, err error)

// vendor is the way of every vendor request: name its kind, count it, let an armed fault have it, serve it.
func (s *Server) vendor(w http.ResponseWriter, r *http.Request) {
	c := &call{srv: s, r: r, q: r.URL.Query(), head: w.Header(), now: s.now()}
	h, kind := c.route()
	c.p, c.tok = s.portalOf(r)
	if c.p != nil {
		c.p.mu.Lock()
		c.p.stats.Counts[kind]++
		c.p.mu.Unlock()
	}
	s.cfg.Logger.Debug("request", "method", r.Method, "path", r.URL.Path, "kind", kind)
	account := ""
	if c.p != nil {
		account = strconv.FormatInt(c.p.id, 10)
	}
	body := simkit.Receive(r, simkit.MaxBody)
	if c.p != nil {
		r, _ = s.ledger.Begin(r, account, c.writtenItems(kind, body))
	}
	c.r = r
	s.faults.Serve(w, r, account, s.ctx.Done(), func(w http.ResponseWriter) {
		c.head = w.Header()
		status, body, err := c.serve(w, h, kind == "search")
		if err != nil {
			s.writeError(w, err)
			return
		}
		s.writeJSON(w, status, body)
	}, s.answerFault)
}

// portalID is the one form of a portal's id.
func portalID(id string) (string, bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	return strconv.FormatInt(n, 10), err == nil
}

func (c *call) serve(w http.ResponseWriter, h handler, search bool) (int, any, error) {
	if c.p == nil {
		return 0, nil, unauthenticated()
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, c.r.Body, simkit.MaxBody))
	if err != nil {
		return 0, nil, newError(http.StatusRequestEntityTooLarge, "", "request body is too large")
	}
	c.body = body
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if err := c.p.admit(c.head, c.tok, search, c.now); err != nil {
		return 0, nil, err
	}
	if h == nil {
		return 0, nil, errNoRoute
	}
	return h(c)
}

var (
	errNoRoute     = errors.New("unknown route")
	dateVersion    = regexp.MustCompile(`^20\d\d-\d\d$`)
	decimalVersion = regexp.MustCompile(`^v[1-4]$`)
)

// route finds the handler of a path and the name it is counted under. /crm/{version}/{family} and /crm/{family}/{date} are one.
func (c *call) route() (handler, string) {
	segs := strings.Split(strings.Trim(c.r.URL.EscapedPath(), "/"), "/")
	for i, seg := range segs {
		u, err := url.PathUnescape(seg)
		if err != nil {
			return nil, "other"
		}
		segs[i] = u
	}
	if len(segs) < 3 {
		return nil, "other"
	}
	family := ""
	switch {
	case segs[0] == "crm" && decimalVersion.MatchString(segs[1]):
		c.version, family = segs[1], segs[2]
	case segs[0] == "crm" && dateVersion.MatchString(segs[2]):
		c.version, family = segs[2], segs[1]
	default:
		switch strings.Join(segs, "/") {
		case "calling/v1/dispositions":
			return only(http.MethodGet, (*call).listDispositions), "dispositions"
		case "account-info/v3/details", "account-info/2026-03/details":
			return only(http.MethodGet, (*call).accountDetails), "account"
		case "events/v3/send":
			return only(http.MethodPost, (*call).sendOne), "custom_events"
		case "events/v3/send/batch":
			return only(http.MethodPost, (*call).sendBatch), "custom_events"
		case "integrators/timeline/v3/events":
			return only(http.MethodPost, (*call).sendTimeline), "timeline_events"
		}
		return nil, "other"
	}
	c.segs = segs[3:]
	switch family {
	case "objects":
		return c.routeObjects()
	case "associations":
		return c.routeAssociations(), "associations"
	case "properties":
		return c.routeProperties(), "properties"
	case "owners":
		return c.routeOwners(), "owners"
	}
	return nil, "other"
}

// only refuses other methods.
func only(method string, h handler) handler {
	return func(c *call) (int, any, error) {
		if c.r.Method != method {
			return 0, nil, newError(http.StatusMethodNotAllowed, "", "HTTP 405 Method Not Allowed")
		}
		return h(c)
	}
}

// need refuses a token that lacks a scope.
func (c *call) need(scope string) error {
	if c.tok.scopes == nil || slices.Contains(c.tok.scopes, scope) {
		return nil
	}
	return missingScopes(scope)
}

// applied notes, for the ledger, that an item of the request stands in a record; the portal's mutex is held.
func (c *call) applied(item int, id int64) {
	simkit.Writing(c.r).Applied(item, strconv.FormatInt(id, 10))
}

// by is the request's app as the source of a change.
func (c *call) by() source { return source{"INTEGRATION", strconv.FormatInt(c.tok.appID, 10)} }

// portalOf finds the portal and the token of a request.
func (s *Server) portalOf(r *http.Request) (*portal, *token) {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || value == "" || strings.HasPrefix(value, tokenHash) {
		return nil, nil
	}
	hash := hashToken(value)
	for _, id := range s.order {
		if t := s.portals[id].tokens[hash]; t != nil { // fixed after New
			return s.portals[id], t
		}
	}
	return nil, nil
}

func (s *Server) writeJSON(w http.ResponseWriter, status int, body any) {
	if w.Header().Get("X-HubSpot-Correlation-Id") == "" {
		w.Header().Set("X-HubSpot-Correlation-Id", newUUID(s.now()))
	}
	if body == nil {
		w.WriteHeader(status)
		return
	}
	b, err := simkit.Marshal(body)
	if err != nil {
		s.cfg.Logger.Error("encoding an answer", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client is gone if this fails
}

func (s *Server) writeError(w http.ResponseWriter, err error) {
	var e *apiError
	switch {
	case errors.As(err, &e):
	case errors.Is(err, errNoRoute):
		w.Header().Set("Content-Type", "text/html;charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<html><head><title>Error 404 Not Found</title></head><body><h2>HTTP ERROR 404</h2></body></html>")
		return
	default:
		s.cfg.Logger.Error("serving a request", "error", err)
		e = newError(http.StatusInternalServerError, "", "internal error")
	}
	body := e.body
	id := newUUID(s.now())
	if body.RequestID == "" {
		body.CorrelationID = id
	}
	w.Header().Set("X-HubSpot-Correlation-Id", id)
	s.writeJSON(w, e.status, body)
}
