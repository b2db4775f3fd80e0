package sim

// Serves GET /services/data/ (the versions), GET /services/data/vNN.N/ (its resources), GET …/limits, and what every REST resource
// has in common: the session, the rolling daily limit with Sforce-Limit-Info, the version, the body.
//
// Deviations: the limit's count starts anew with the process; /limits shows only what is modelled here, and does not lag.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/connectors/simkit"
)

const (
	maxBody    = 16 << 20
	minVersion = 31
	maxVersion = 68
)

func pathUnescape(s string) (string, error) { return url.PathUnescape(s) }

// call is one authenticated REST request.
type call struct {
	s       *Server
	o       *org
	ses     *session
	w       http.ResponseWriter
	r       *http.Request
	version int    // of the API, 59 of v59.0
	base    string // /services/data/v59.0
}

func (s *Server) serveData(w http.ResponseWriter, r *http.Request, segs []string) {
	if len(segs) == 0 || segs[0] == "" {
		s.serveVersions(w, r)
		return
	}
	version, ok := parseVersion(segs[0])
	if !ok {
		writeError(w, notFound())
		return
	}
	o, ses := s.authenticate(r)
	if ses == nil {
		writeError(w, invalidSession())
		return
	}
	o.mu.Lock()
	allowed := o.usage.take(s.now(), o.cfg.DailyLimit)
	used := o.usage.total
	o.mu.Unlock()
	w.Header().Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/%d", used, o.cfg.DailyLimit))
	if !allowed {
		writeError(w, limitExceeded())
		return
	}
	c := &call{s: s, o: o, ses: ses, w: w, r: r, version: version, base: "/services/data/" + segs[0]}
	if err := c.route(segs[1:]); err != nil {
		writeError(w, err)
	}
}

// route serves a resource below the version. An error that is returned has not been answered yet.
func (c *call) route(segs []string) *apiError {
	if len(segs) == 0 {
		return c.resources()
	}
	rest := segs[1:]
	switch segs[0] {
	case "limits":
		return c.limits()
	case "query", "queryAll":
		return c.query(segs[0] == "queryAll", rest)
	case "search":
		if len(rest) == 0 || len(rest) == 1 && rest[0] == "" {
			return c.search()
		}
	case "sobjects":
		return c.sobjects(rest)
	case "composite":
		if len(rest) > 0 && rest[0] == "sobjects" && c.version >= 42 {
			return c.collections(rest[1:])
		}
	}
	return notFound()
}

func parseVersion(seg string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(seg, "v"), ".0"))
	if err != nil || n < minVersion || n > maxVersion || seg != fmt.Sprintf("v%d.0", n) {
		return 0, false
	}
	return n, true
}

func (s *Server) serveVersions(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		writeError(w, methodNotAllowed(r.Method, "GET,HEAD"))
		return
	}
	type entry struct {
		Label   string `json:"label"`
		URL     string `json:"url"`
		Version string `json:"version"`
	}
	var out []entry
	seasons := []string{"Winter", "Spring", "Summer"} // of a release year, in order; v59 is Winter '24
	for n := minVersion; n <= maxVersion; n++ {
		since := n - 29
		out = append(out, entry{fmt.Sprintf("%s '%d", seasons[since%3], 14+since/3), fmt.Sprintf("/services/data/v%d.0", n), fmt.Sprintf("%d.0", n)})
	}
	writeJSON(w, http.StatusOK, out)
}

func (c *call) resources() *apiError {
	if c.r.Method != http.MethodGet {
		return methodNotAllowed(c.r.Method, "GET,HEAD")
	}
	out := map[string]string{}
	for _, name := range []string{"limits", "query", "queryAll", "search", "sobjects"} {
		out[name] = c.base + "/" + name
	}
	out["composite"] = c.base + "/composite"
	writeJSON(c.w, http.StatusOK, out)
	return nil
}

func (c *call) limits() *apiError {
	if c.r.Method != http.MethodGet {
		return methodNotAllowed(c.r.Method, "GET,HEAD")
	}
	c.o.mu.Lock()
	used := c.o.usage.roll(c.s.now())
	clients := len(c.o.clients)
	c.o.mu.Unlock()
	writeJSON(c.w, http.StatusOK, map[string]map[string]int{
		"DailyApiRequests":                     {"Max": c.o.cfg.DailyLimit, "Remaining": max(0, c.o.cfg.DailyLimit-used)},
		"DurableStreamingApiConcurrentClients": {"Max": 2000, "Remaining": max(0, 2000-clients)},
	})
	return nil
}

func methodNotAllowed(method, allowed string) *apiError {
	return &apiError{status: http.StatusMethodNotAllowed, code: "METHOD_NOT_ALLOWED", message: "HTTP Method '" + method + "' not allowed. Allowed are " + allowed}
}

// decode reads the JSON body into v, numbers as json.Number.
func (c *call) decode(v any) *apiError {
	if ct := c.r.Header.Get("Content-Type"); ct != "" {
		if mt, _, err := mime.ParseMediaType(ct); err != nil || mt != "application/json" {
			return &apiError{status: http.StatusUnsupportedMediaType, code: "UNSUPPORTED_MEDIA_TYPE", message: "Content-Type header specified in HTTP request is not supported: " + ct}
		}
	}
	body, err := io.ReadAll(c.r.Body)
	if err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return &apiError{status: http.StatusRequestEntityTooLarge, code: "REQUEST_TOO_LARGE", message: "Request exceeds the maximum size"}
		}
		return badRequest("JSON_PARSER_ERROR", "Unexpected end of input")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return badRequest("JSON_PARSER_ERROR", parserText(body, dec.InputOffset(), err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return badRequest("JSON_PARSER_ERROR", parserText(body, dec.InputOffset(), errors.New("unexpected text after the value")))
	}
	return nil
}

// parserText is a parser's complaint with the place, as the vendor's has one.
func parserText(body []byte, at int64, err error) string {
	at = min(at, int64(len(body)))
	line := 1 + bytes.Count(body[:at], []byte("\n"))
	column := at - int64(bytes.LastIndexByte(body[:at], '\n'))
	return fmt.Sprintf("%s at [line:%d, column:%d]", strings.TrimPrefix(err.Error(), "json: "), line, column)
}

// actor is the writer of this call's changes.
func (c *call) actor() actor {
	origin := fmt.Sprintf("com/salesforce/api/rest/%d.0", c.version)
	for opt := range strings.SplitSeq(c.r.Header.Get("Sforce-Call-Options"), ",") {
		if k, v, ok := strings.Cut(strings.TrimSpace(opt), "="); ok && k == "client" && v != "" {
			origin += ";client=" + v
		}
	}
	return actor{user: c.ses.user, origin: origin}
}

// write runs fn in a transaction and commits it. An error of fn takes everything back. The caller answers after write returned,
// so no 2xx precedes the log.
func (c *call) write(fn func(t *tx) *apiError) *apiError {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	t := c.o.begin(c.actor())
	if err := fn(t); err != nil {
		t.rollback()
		return err
	}
	if err := t.commit(); err != nil {
		c.s.log.Error("commit", "org", c.o.id, "error", err)
		return internalError()
	}
	for _, a := range t.applied {
		simkit.Writing(c.r).Applied(a.item, a.record)
	}
	return nil
}
