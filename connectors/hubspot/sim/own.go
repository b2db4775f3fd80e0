package sim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/connectors/simkit"
)

// ownSurface serves everything under /_sim/: what the package comment lists.
func (s *Server) ownSurface() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, fn func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := fn(r)
			if err != nil {
				s.writeError(w, err)
				return
			}
			s.writeJSON(w, http.StatusOK, v)
		})
	}
	handle("GET /_sim/portals", s.ownPortals)
	handle("GET /_sim/records", s.ownRecords)
	handle("GET /_sim/count", s.ownCount)
	handle("POST /_sim/write", s.ownWrite)
	handle("POST /_sim/webhooks", s.ownWebhooks)
	handle("GET /_sim/requests", s.ownRequests)
	handle("GET /_sim/writes", s.ownWrites)
	handle("GET /_sim/occurrences", s.ownOccurrences)
	mux.HandleFunc("POST /_sim/merge", s.ownMerge)
	s.faults.Handle(mux)
	return mux
}

func ownBody(r *http.Request, into any) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, simkit.MaxBody))
	if err != nil {
		return plainBadRequest("reading the body: %v", err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return plainBadRequest("the body is not what it should be: %v", err)
	}
	return nil
}

// portalNamed finds a portal; "" is the only one there is.
func (s *Server) portalNamed(id string) (*portal, error) {
	if id == "" && len(s.order) == 1 {
		return s.portals[s.order[0]], nil
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if p := s.portals[n]; err == nil && p != nil {
		return p, nil
	}
	return nil, notFound(id)
}

func (s *Server) ownPortals(*http.Request) (any, error) {
	out := []map[string]any{}
	for _, id := range s.order {
		p := s.portals[id]
		p.mu.Lock()
		row := map[string]any{"portal": id, "owners": p.cfg.Owners}
		if app := p.cfg.App; app != nil {
			row["target_url"], row["subscriptions"], row["app"] = app.TargetURL, app.Subscriptions, app.ID
		}
		p.mu.Unlock()
		out = append(out, row)
	}
	return out, nil
}

// rows are the records of a request for them, by id.
func (s *Server) rows(r *http.Request) (*portal, []*record, error) {
	q := r.URL.Query()
	p, err := s.portalNamed(q.Get("portal"))
	if err != nil {
		return nil, nil, err
	}
	ot := typeNamed(q.Get("object"))
	if ot == nil {
		return nil, nil, plainBadRequest("Unable to infer object type from: %s", q.Get("object"))
	}
	after, _ := strconv.ParseInt(q.Get("after"), 10, 64)
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil || limit < 1 {
		limit = int(^uint(0) >> 1)
	}
	tab := p.tables[ot]
	var out []*record
	for _, id := range tab.order {
		rec := tab.rows[id]
		if id <= after || rec.archived && q.Get("deleted") != "1" {
			continue
		}
		fits := true
		for name := range q {
			if tab.props[name] != nil && name != "limit" && rec.props[name] != q.Get(name) {
				fits = false
			}
		}
		if fits {
			out = append(out, rec)
		}
		if len(out) == limit {
			break
		}
	}
	return p, out, nil
}

func (s *Server) locked(r *http.Request, fn func(p *portal, rows []*record) any) (any, error) {
	p, err := s.portalNamed(r.URL.Query().Get("portal"))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, rows, err := s.rows(r)
	if err != nil {
		return nil, err
	}
	return fn(p, rows), nil
}

func (s *Server) ownRecords(r *http.Request) (any, error) {
	return s.locked(r, func(p *portal, rows []*record) any {
		out := []*recordJSON{}
		for _, rec := range rows {
			row := p.render(rec, keysOf(rec.props))
			for _, to := range objectTypes {
				if list := p.linked(node{rec.ot, rec.id}, to); len(list) > 0 {
					if row.Associations == nil {
						row.Associations = map[string]linkedPage{}
					}
					row.Associations[to.name] = linksV3(rec.ot, to, list)
				}
			}
			out = append(out, row)
		}
		return out
	})
}

func (s *Server) ownCount(r *http.Request) (any, error) {
	return s.locked(r, func(_ *portal, rows []*record) any { return map[string]int{"count": len(rows)} })
}

func (s *Server) ownWrite(r *http.Request) (any, error) {
	var in struct {
		Portal     int64           `json:"portal"`
		User       text            `json:"user"`
		Object     string          `json:"object"`
		ID         text            `json:"id"`
		Properties map[string]text `json:"properties"`
		Delete     bool            `json:"delete"`
		Restore    bool            `json:"restore"`
		Privacy    bool            `json:"privacy"` // deletes it for good
	}
	if err := ownBody(r, &in); err != nil {
		return nil, err
	}
	id := ""
	if in.Portal != 0 {
		id = strconv.FormatInt(in.Portal, 10)
	}
	p, err := s.portalNamed(id)
	if err != nil {
		return nil, err
	}
	ot := typeNamed(in.Object)
	if ot == nil {
		return nil, plainBadRequest("Unable to infer object type from: %s", in.Object)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	user := strings.TrimPrefix(string(in.User), "userId:")
	if user == "" {
		user = "1"
		if len(p.cfg.Owners) > 0 {
			user = strconv.FormatInt(p.cfg.Owners[0].UserID, 10)
		}
	}
	tab := p.tables[ot]
	t := p.begin(source{"CRM_UI", "userId:" + user})
	rec, created, err := in.ID, in.ID == "", error(nil)
	switch {
	case created:
		var made *record
		if made, err = t.create(tab, in.Properties); err == nil {
			rec = text(strconv.FormatInt(made.id, 10))
		}
	default:
		n, perr := strconv.ParseInt(string(in.ID), 10, 64)
		old := tab.rows[n]
		switch {
		case perr != nil || old == nil || old.archived && !in.Restore:
			err = notFound(string(in.ID))
		case in.Privacy:
			t.erase(tab, old)
		case in.Delete:
			t.archive(tab, old)
		case in.Restore:
			err = t.restore(tab, old)
		default:
			_, _, err = t.update(tab, old, in.Properties)
		}
	}
	return map[string]any{"id": string(rec), "created": created}, t.end(err)
}

func (s *Server) ownWebhooks(r *http.Request) (any, error) {
	var in struct {
		Portal        int64     `json:"portal"`
		TargetURL     string    `json:"target_url"`
		Subscriptions *[]string `json:"subscriptions"`
	}
	if err := ownBody(r, &in); err != nil {
		return nil, err
	}
	p, err := s.portalNamed(strconv.FormatInt(in.Portal, 10))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cfg.App == nil {
		return nil, plainBadRequest("the portal has no app")
	}
	app := *p.cfg.App
	app.TargetURL = in.TargetURL
	if in.Subscriptions != nil {
		app.Subscriptions = *in.Subscriptions
	}
	c := p.cfg
	c.App = &app
	if err := c.validateApp(); err != nil {
		return nil, plainBadRequest("%v", err)
	}
	if _, err := p.log.Append(logLine{Portal: &c}); err != nil {
		return nil, err
	}
	p.cfg = c
	p.subscribe()
	p.nudge()
	return map[string]any{"target_url": app.TargetURL, "subscriptions": app.Subscriptions}, nil
}

// validateApp checks the app alone: stored tokens are hashes already.
func (c PortalConfig) validateApp() error {
	errs := []error{validateTarget(c.App.TargetURL)}
	for _, s := range c.App.Subscriptions {
		_, err := parseSubscription(s)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *Server) ownRequests(r *http.Request) (any, error) {
	p, err := s.portalNamed(r.URL.Query().Get("portal"))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := s.now()
	left := p.cfg.RateMax
	for _, t := range p.tokens {
		t.window.expire(now)
		left = min(left, t.window.max-len(t.window.times))
	}
	counts := make(map[string]int, len(p.stats.Counts))
	for k, n := range p.stats.Counts {
		counts[k] = n
	}
	used := p.day.at(now)
	return map[string]any{
		"portal": p.id, "counts": counts, "rate_limited": p.stats.RateLimited,
		"window":   map[string]int{"max": p.cfg.RateMax, "remaining": left},
		"daily":    map[string]int{"max": p.cfg.Daily, "used": used, "remaining": p.cfg.Daily - used},
		"webhooks": map[string]int{"delivered": p.stats.Delivered, "pending": len(p.pending), "dropped": p.stats.Dropped, "retries": p.stats.Failed},
	}, nil
}

// ownWrites answers every record that was written, request by request, and which of the writes should not stand to each other as
// they do. Without a portal it is that of all.
func (s *Server) ownWrites(r *http.Request) (any, error) {
	id := ""
	if q := r.URL.Query().Get("portal"); q != "" {
		p, err := s.portalNamed(q)
		if err != nil {
			return nil, err
		}
		id = strconv.FormatInt(p.id, 10)
	}
	return s.ledger.Report(id), nil
}
