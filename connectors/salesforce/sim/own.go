package sim

// Serves the simulator's own reading surface: GET /_sim/orgs, /_sim/records, /_sim/count, /_sim/requests, /_sim/writes. It needs no token, counts
// against no limit, and is not the vendor's.

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/connectors/simkit"
)

func (s *Server) ownSurface() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sim/orgs", s.ownOrgs)
	mux.HandleFunc("GET /_sim/records", s.ownRecords)
	mux.HandleFunc("GET /_sim/count", s.ownCount)
	mux.HandleFunc("GET /_sim/requests", s.ownRequests)
	mux.HandleFunc("GET /_sim/writes", s.ownWrites)
	mux.HandleFunc("POST /_sim/write", s.ownWrite)
	mux.HandleFunc("POST /_sim/convert", s.ownConvert)
	mux.HandleFunc("POST /_sim/merge", s.ownMerge)
	mux.HandleFunc("POST /_sim/grant", s.ownGrant)
	mux.HandleFunc("POST /_sim/fields", s.ownFields)
	s.faults.Handle(mux)
	return mux
}

// ownOrg finds an org by id, 15 or 18 characters; the only one when none is named. nil means that it has been answered.
func (s *Server) ownOrg(w http.ResponseWriter, id string) *org {
	if id == "" && len(s.order) == 1 {
		return s.orgs[s.order[0]]
	}
	full, _ := canonicalID(id)
	if o := s.orgs[full]; o != nil {
		return o
	}
	simkit.Error(w, http.StatusNotFound, "no org "+strconv.Quote(id))
	return nil
}

func (s *Server) ownOrgs(w http.ResponseWriter, _ *http.Request) {
	type entry struct {
		ID         string       `json:"id"`
		Users      []UserConfig `json:"users"`
		ClientIDs  []string     `json:"client_ids"`
		CDC        []string     `json:"cdc"`
		DailyLimit int          `json:"daily_limit"`
	}
	out := []entry{}
	for _, id := range s.order {
		cfg := s.orgs[id].cfg
		e := entry{ID: id, Users: cfg.Users, CDC: cfg.CDC, DailyLimit: cfg.DailyLimit, ClientIDs: []string{}}
		for _, a := range cfg.Apps {
			e.ClientIDs = append(e.ClientIDs, a.ClientID)
		}
		out = append(out, e)
	}
	writeJSON(w, http.StatusOK, out)
}

// selected returns the records a request names; ok is false when it has been answered.
func (s *Server) selected(w http.ResponseWriter, q url.Values) (o *org, obj *object, rows []*record, ok bool) {
	if o = s.ownOrg(w, q.Get("org")); o == nil {
		return nil, nil, nil, false
	}
	if obj = objectNamed(q.Get("object")); obj == nil {
		simkit.Error(w, http.StatusNotFound, "no object "+strconv.Quote(q.Get("object")))
		return nil, nil, nil, false
	}
	where := map[*field]string{}
	for name, values := range q {
		switch name {
		case "org", "object", "limit", "offset", "format", "deleted":
			continue
		}
		f := obj.field(name)
		if f == nil || f.typ == tAddress {
			simkit.Error(w, http.StatusBadRequest, "no field "+strconv.Quote(name)+" on "+obj.name)
			return nil, nil, nil, false
		}
		where[f] = values[0]
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, sl := range o.tables[obj].order {
		if sl.rec.deleted && q.Get("deleted") == "" || !matches(obj, sl.rec, where) {
			continue
		}
		rows = append(rows, sl.rec)
	}
	return o, obj, rows, true
}

// matches compares fields with text as REST shows them; empty text is null.
func matches(obj *object, r *record, where map[*field]string) bool {
	for f, want := range where {
		v := obj.value(r, f)
		got, isText := v.(string)
		if !isText && v != nil {
			got = strings.Trim(string(appendREST(nil, f, v)), `"`)
		}
		if got != want {
			return false
		}
	}
	return true
}

func (s *Server) ownRecords(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	_, obj, rows, ok := s.selected(w, q)
	if !ok {
		return
	}
	if n, err := strconv.Atoi(q.Get("offset")); err == nil && n > 0 {
		rows = rows[min(n, len(rows)):]
	}
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n >= 0 {
		rows = rows[:min(n, len(rows))]
	}
	lines := q.Get("format") == "jsonl"
	var b []byte
	for i, rec := range rows {
		if i > 0 && !lines {
			b = append(b, ',')
		}
		b = obj.appendRecord(b, rec, "/services/data/v"+strconv.Itoa(maxVersion)+".0", nil)
		if lines {
			b = append(b, '\n')
		}
	}
	if lines {
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = w.Write(b)
		return
	}
	writeRaw(w, http.StatusOK, append(append([]byte{'['}, b...), ']'))
}

func (s *Server) ownCount(w http.ResponseWriter, r *http.Request) {
	if _, _, rows, ok := s.selected(w, r.URL.Query()); ok {
		writeJSON(w, http.StatusOK, map[string]int{"count": len(rows)})
	}
}

func (s *Server) ownRequests(w http.ResponseWriter, r *http.Request) {
	o := s.ownOrg(w, r.URL.Query().Get("org"))
	if o == nil {
		return
	}
	o.mu.Lock()
	counts := make(map[string]int64, len(o.counts))
	for k, n := range o.counts {
		counts[k] = n
	}
	used, clients := o.usage.roll(s.now()), len(o.clients)
	o.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{
		"org": o.id, "counts": counts, "cometd_clients": clients,
		"daily": map[string]int{"max": o.cfg.DailyLimit, "used": used, "remaining": max(0, o.cfg.DailyLimit-used)},
	})
}

// ownWrites answers every record that was written, request by request, and which of the writes should not stand to each other as
// they do. Without an org it is that of all.
func (s *Server) ownWrites(w http.ResponseWriter, r *http.Request) {
	id := ""
	if q := r.URL.Query().Get("org"); q != "" {
		o := s.ownOrg(w, q)
		if o == nil {
			return
		}
		id = o.id
	}
	writeJSON(w, http.StatusOK, s.ledger.Report(id))
}
