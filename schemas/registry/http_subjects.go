package registry

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
)

// Requests on a subject and its versions.

func (s *Server) registerSchema(r *http.Request) (any, error) {
	b, err := avroBody(r)
	if err != nil {
		return nil, err
	}
	id, err := s.register(r.Context(), r.PathValue("subject"), b.Schema, b.ID)
	return map[string]int{"id": id}, err
}

func shown(v *version) map[string]any {
	return map[string]any{"subject": v.Subject, "version": v.Version, "id": v.ID, "schema": v.Schema, "references": []any{}}
}

// versions are those of the subject in the path that a request may see; the caller
// holds the lock.
func (s *Server) versions(r *http.Request) ([]*version, error) {
	if sub := s.subjects[r.PathValue("subject")]; sub != nil {
		if vs := sub.asked(r); len(vs) > 0 {
			return vs, nil
		}
	}
	return nil, noSubject
}

// asked are the versions that a request wants: those that are not deleted, all, or the
// deleted ones alone. Clients have two spellings of the last.
func (sub *subject) asked(r *http.Request) []*version {
	if flag(r, "deletedOnly") || flag(r, "deleted_only") {
		return slices.DeleteFunc(sub.live(true), func(v *version) bool { return !v.Deleted })
	}
	return sub.live(flag(r, "deleted"))
}

func (s *Server) lookUp(r *http.Request) (any, error) {
	b, err := avroBody(r)
	if err != nil {
		return nil, err
	}
	c, err := canonical(b.Schema)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	vs, err := s.versions(r)
	if err != nil {
		return nil, err
	}
	for _, v := range vs {
		if vc, err := canonical(v.Schema); err == nil && vc == c {
			return shown(v), nil
		}
	}
	return nil, noSchema
}

func (s *Server) listSubjects(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{}
	for _, name := range s.names(r.URL.Query().Get("subjectPrefix")) {
		sub := s.subjects[name]
		// Of subjects "deleted only" are those that have nothing else.
		only := flag(r, "deletedOnly") || flag(r, "deleted_only")
		if len(sub.asked(r)) > 0 && !(only && len(sub.live(false)) > 0) {
			names = append(names, name)
		}
	}
	return part(r, names), nil
}

func (s *Server) listVersions(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	vs, err := s.versions(r)
	var ns []int
	for _, v := range vs {
		ns = append(ns, v.Version)
	}
	return part(r, ns), err
}

// find returns the version named in the path; the caller holds the lock.
func (s *Server) find(r *http.Request) (*version, error) {
	vs, err := s.versions(r)
	if err != nil {
		return nil, err
	}
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

func (s *Server) textOfVersion(r *http.Request) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.find(r)
	if err != nil {
		return "", err
	}
	return v.Schema, nil
}

// referencedBy has nothing to show: no schema here refers to another.
func (s *Server) referencedBy(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.find(r)
	return []int{}, err
}

func (s *Server) deleteVersion(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writable(r.PathValue("subject")); err != nil {
		return nil, err
	}
	if flag(r, "permanent") {
		return s.purgeVersion(r)
	}
	v, err := s.find(r)
	if errors.Is(err, noVersion) && s.softDeleted(r) != nil {
		err = &problem{404, 40406, "Version was soft deleted. Set permanent=true to delete permanently"}
	}
	if err != nil {
		return nil, err
	}
	gone := *v
	gone.Deleted = true
	return v.Version, s.persist(r.Context(), recordKey{ofSchema, v.Subject, v.Version, 1}, &gone)
}

// softDeleted is the version in the path if it is there and deleted, nil else.
func (s *Server) softDeleted(r *http.Request) *version {
	n, err := strconv.Atoi(r.PathValue("version"))
	sub := s.subjects[r.PathValue("subject")]
	if err != nil || sub == nil {
		return nil
	}
	if v := sub.find(n); v != nil && v.Deleted {
		return v
	}
	return nil
}

// purgeVersion deletes a version that is deleted already for good; the caller holds
// the lock.
func (s *Server) purgeVersion(r *http.Request) (any, error) {
	if v := s.softDeleted(r); v != nil {
		return v.Version, s.purge(r.Context(), []*version{v})
	}
	if _, err := s.find(r); err != nil {
		return nil, err
	}
	return nil, &problem{404, 40407, "Version was not deleted first before being permanently deleted"}
}

func (s *Server) deleteSubject(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.PathValue("subject")
	if err := s.writable(name); err != nil {
		return nil, err
	}
	sub := s.subjects[name]
	hard := flag(r, "permanent")
	switch {
	case sub == nil || len(sub.versions) == 0:
		return nil, noSubject
	case hard && len(sub.live(false)) > 0:
		return nil, &problem{404, 40405, "Subject was not deleted first before being permanently deleted"}
	case !hard && len(sub.live(false)) == 0:
		return nil, &problem{404, 40404, "Subject was soft deleted"}
	}
	vs := sub.live(hard)
	var ns []int
	for _, v := range vs {
		ns = append(ns, v.Version)
	}
	if hard {
		return ns, s.purge(r.Context(), vs)
	}
	for _, v := range vs {
		gone := *v
		gone.Deleted = true
		if err := s.persist(r.Context(), recordKey{ofSchema, name, v.Version, 1}, &gone); err != nil {
			return nil, err
		}
	}
	// A subject that is made again starts with the global settings.
	if sub.config != "" {
		if err := s.persist(r.Context(), recordKey{Type: ofConfig, Subject: name}, nil); err != nil {
			return nil, err
		}
	}
	if sub.mode != "" {
		return ns, s.persist(r.Context(), recordKey{Type: ofMode, Subject: name}, nil)
	}
	return ns, nil
}
