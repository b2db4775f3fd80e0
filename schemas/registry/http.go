package registry

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sort"
	"strconv"
)

const (
	contentType = "application/vnd.schemaregistry.v1+json"
	maxBody     = 1 << 20
)

type schemaBody struct {
	Schema     string `json:"schema"`
	SchemaType string `json:"schemaType"`
	References []any  `json:"references"`
}

// Handler serves the API.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, fn func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			v, err := fn(r)
			answer(w, v, err)
		})
	}
	handle("GET /{$}", func(*http.Request) (any, error) { return struct{}{}, nil })
	handle("GET /schemas/types", func(*http.Request) (any, error) { return []string{"AVRO"}, nil })
	handle("GET /schemas/ids/{id}", s.schemaByID)
	handle("GET /schemas/ids/{id}/versions", s.versionsByID)
	handle("GET /subjects", s.listSubjects)
	handle("POST /subjects/{subject}", s.lookUp)
	handle("DELETE /subjects/{subject}", s.deleteSubject)
	handle("GET /subjects/{subject}/versions", s.listVersions)
	handle("POST /subjects/{subject}/versions", s.registerSchema)
	handle("GET /subjects/{subject}/versions/{version}", s.getVersion)
	handle("DELETE /subjects/{subject}/versions/{version}", s.deleteVersion)
	handle("POST /compatibility/subjects/{subject}/versions/{version}", s.compatibility)
	handle("GET /config", s.getConfig)
	handle("PUT /config", s.putConfig)
	handle("GET /config/{subject}", s.getConfig)
	handle("PUT /config/{subject}", s.putConfig)
	handle("GET /mode", func(*http.Request) (any, error) { return map[string]string{"mode": "READWRITE"}, nil })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, nil, &problem{404, 404, "HTTP 404 Not Found"})
	})
	return mux
}

func answer(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", contentType)
	if err == nil {
		_ = json.NewEncoder(w).Encode(v)
		return
	}
	var p *problem
	if !errors.As(err, &p) {
		p = &problem{500, 50001, "Error in the backend data store: " + err.Error()}
	}
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error_code": p.code, "message": p.message})
}

// flag reads a boolean in any spelling that clients use ("False" too).
func flag(r *http.Request, name string) bool {
	b, err := strconv.ParseBool(r.URL.Query().Get(name))
	return err == nil && b
}

func body[T any](r *http.Request) (T, error) {
	var v T
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return v, &problem{413, 413, "the request is larger than 1 MiB"}
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, &problem{422, 42201, "no JSON: " + err.Error()}
	}
	return v, nil
}

func avroBody(r *http.Request) (string, error) {
	b, err := body[schemaBody](r)
	switch {
	case err != nil:
		return "", err
	case b.Schema == "":
		return "", &problem{422, 42201, "Invalid schema: there is none"}
	case b.SchemaType != "" && b.SchemaType != "AVRO":
		return "", &problem{422, 42201, "only AVRO is kept here"}
	case len(b.References) > 0:
		return "", &problem{422, 42201, "references are not kept here: put all types into one schema"}
	}
	return b.Schema, nil
}

func (s *Server) registerSchema(r *http.Request) (any, error) {
	text, err := avroBody(r)
	if err != nil {
		return nil, err
	}
	id, err := s.register(r.Context(), r.PathValue("subject"), text)
	return map[string]int{"id": id}, err
}

func shown(v *version) map[string]any {
	return map[string]any{"subject": v.Subject, "version": v.Version, "id": v.ID, "schema": v.Schema, "references": []any{}}
}

func (s *Server) lookUp(r *http.Request) (any, error) {
	text, err := avroBody(r)
	if err != nil {
		return nil, err
	}
	c, err := canonical(text)
	if err != nil {
		return nil, &problem{422, 42201, "Invalid schema: " + err.Error()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subjects[r.PathValue("subject")]
	if sub == nil || len(sub.live(flag(r, "deleted"))) == 0 {
		return nil, noSubject
	}
	for _, v := range sub.live(flag(r, "deleted")) {
		if vc, err := canonical(v.Schema); err == nil && vc == c {
			return shown(v), nil
		}
	}
	return nil, noSchema
}

func (s *Server) schemaByID(r *http.Request) (any, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return nil, noSchema
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	text, ok := s.texts[id]
	if !ok {
		return nil, noSchema
	}
	return map[string]string{"schema": text}, nil
}

func (s *Server) versionsByID(r *http.Request) (any, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return nil, noSchema
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.texts[id]; !ok {
		return nil, noSchema
	}
	uses := []map[string]any{}
	for name, sub := range s.subjects {
		for _, v := range sub.live(false) {
			if v.ID == id {
				uses = append(uses, map[string]any{"subject": name, "version": v.Version})
			}
		}
	}
	sort.Slice(uses, func(i, j int) bool { return uses[i]["subject"].(string) < uses[j]["subject"].(string) })
	return uses, nil
}

func (s *Server) listSubjects(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{}
	for name, sub := range s.subjects {
		if len(sub.live(flag(r, "deleted"))) > 0 {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, nil
}

func (s *Server) listVersions(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subjects[r.PathValue("subject")]
	if sub == nil || len(sub.live(flag(r, "deleted"))) == 0 {
		return nil, noSubject
	}
	var ns []int
	for _, v := range sub.live(flag(r, "deleted")) {
		ns = append(ns, v.Version)
	}
	return ns, nil
}

// find returns the version named in the path; the caller holds the lock.
func (s *Server) find(r *http.Request) (*version, error) {
	sub := s.subjects[r.PathValue("subject")]
	if sub == nil || len(sub.live(flag(r, "deleted"))) == 0 {
		return nil, noSubject
	}
	vs := sub.live(flag(r, "deleted"))
	name := r.PathValue("version")
	if name == "latest" || name == "-1" {
		return vs[len(vs)-1], nil
	}
	n, err := strconv.Atoi(name)
	if err != nil || n < 1 {
		return nil, &problem{422, 42202, "The specified version '" + name + "' is not a valid version id."}
	}
	for _, v := range vs {
		if v.Version == n {
			return v, nil
		}
	}
	return nil, noVersion
}

func (s *Server) getVersion(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.find(r)
	if err != nil {
		return nil, err
	}
	return shown(v), nil
}

func (s *Server) deleteVersion(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if flag(r, "permanent") {
		return s.purgeVersion(r)
	}
	v, err := s.find(r)
	if err != nil {
		return nil, err
	}
	gone := *v
	gone.Deleted = true
	return v.Version, s.persist(r.Context(), recordKey{"SCHEMA", v.Subject, v.Version, 1}, &gone)
}

// purgeVersion deletes a version that is deleted already for good; the caller holds
// the lock.
func (s *Server) purgeVersion(r *http.Request) (any, error) {
	n, err := strconv.Atoi(r.PathValue("version"))
	sub := s.subjects[r.PathValue("subject")]
	if err != nil || sub == nil {
		return nil, noVersion
	}
	for _, v := range sub.versions {
		if v.Version != n {
			continue
		}
		if !v.Deleted {
			return nil, &problem{404, 40407, "Version was not deleted first before being permanently deleted"}
		}
		return n, s.persist(r.Context(), recordKey{"SCHEMA", v.Subject, n, 1}, nil)
	}
	return nil, noVersion
}

func (s *Server) deleteSubject(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subjects[r.PathValue("subject")]
	hard := flag(r, "permanent")
	if sub != nil && !hard && len(sub.versions) > 0 && len(sub.live(false)) == 0 {
		return nil, &problem{404, 40404, "Subject was soft deleted"}
	}
	if sub == nil || len(sub.live(hard)) == 0 {
		return nil, noSubject
	}
	if hard && len(sub.live(false)) > 0 {
		return nil, &problem{404, 40405, "Subject was not deleted first before being permanently deleted"}
	}
	var ns []int
	for _, v := range append([]*version(nil), sub.live(hard)...) {
		gone := *v
		gone.Deleted = true
		var value any = &gone
		if hard {
			value = nil
		}
		if err := s.persist(r.Context(), recordKey{"SCHEMA", v.Subject, v.Version, 1}, value); err != nil {
			return nil, err
		}
		ns = append(ns, v.Version)
	}
	return ns, nil
}

func (s *Server) compatibility(r *http.Request) (any, error) {
	text, err := avroBody(r)
	if err != nil {
		return nil, err
	}
	if _, err := canonical(text); err != nil {
		return nil, &problem{422, 42201, "Invalid schema: " + err.Error()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(r); err != nil {
		return nil, err
	}
	why := s.incompatible(r.PathValue("subject"), text)
	out := map[string]any{"is_compatible": why == ""}
	if flag(r, "verbose") && why != "" {
		out["messages"] = []string{why}
	}
	return out, nil
}

func (s *Server) getConfig(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.PathValue("subject")
	if name == "" {
		return configValue{s.config}, nil
	}
	if sub := s.subjects[name]; sub != nil && sub.config != "" {
		return configValue{sub.config}, nil
	}
	if flag(r, "defaultToGlobal") {
		return configValue{s.config}, nil
	}
	return nil, &problem{404, 40408, "Subject '" + name + "' does not have subject-level compatibility configured"}
}

func (s *Server) putConfig(r *http.Request) (any, error) {
	b, err := body[map[string]any](r)
	if err != nil {
		return nil, err
	}
	level, _ := b["compatibility"].(string)
	if _, ok := levels[level]; !ok {
		return nil, &problem{422, 42203, "Invalid compatibility level"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.persist(r.Context(), recordKey{Type: "CONFIG", Subject: r.PathValue("subject")}, configValue{level})
	return map[string]string{"compatibility": level}, err
}
