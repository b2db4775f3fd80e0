package registry

import (
	"cmp"
	"net/http"
	"slices"
	"sort"
	"strconv"
)

// Requests that begin with a schema's id, whatever subject it is in.

// uses are the versions that have a schema, by subject; the caller holds the lock.
func (s *Server) uses(r *http.Request) ([]*version, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return nil, noSchema
	}
	if _, ok := s.texts[id]; !ok {
		return nil, noSchema
	}
	var vs []*version
	for _, sub := range s.subjects {
		for _, v := range sub.live(flag(r, "deleted")) {
			if v.ID == id && (r.URL.Query().Get("subject") == "" || r.URL.Query().Get("subject") == v.Subject) {
				vs = append(vs, v)
			}
		}
	}
	slices.SortFunc(vs, bySubject)
	return vs, nil
}

func bySubject(a, b *version) int {
	return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version))
}

func (s *Server) textByID(r *http.Request) (string, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return "", noSchema
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	text, ok := s.texts[id]
	if !ok {
		return "", noSchema
	}
	return text, nil
}

func (s *Server) schemaByID(r *http.Request) (any, error) {
	text, err := s.textByID(r)
	return map[string]string{"schema": text}, err
}

func (s *Server) versionsByID(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	vs, err := s.uses(r)
	shown := []map[string]any{}
	for _, v := range vs {
		shown = append(shown, map[string]any{"subject": v.Subject, "version": v.Version})
	}
	return part(r, shown), err
}

func (s *Server) subjectsByID(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	vs, err := s.uses(r)
	names := []string{}
	for _, v := range vs {
		names = append(names, v.Subject)
	}
	return part(r, slices.Compact(names)), err
}

// listSchemas shows every version of every subject, or the newest of each.
func (s *Server) listSchemas(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []map[string]any{}
	for _, name := range s.names(r.URL.Query().Get("subjectPrefix")) {
		vs := s.subjects[name].live(flag(r, "deleted"))
		if flag(r, "latestOnly") && len(vs) > 1 {
			vs = vs[len(vs)-1:]
		}
		for _, v := range vs {
			all = append(all, shown(v))
		}
	}
	return part(r, all), nil
}

// names are the subjects, sorted; the caller holds the lock.
func (s *Server) names(prefix string) []string {
	var names []string
	for name := range s.subjects {
		if len(name) >= len(prefix) && name[:len(prefix)] == prefix {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}
