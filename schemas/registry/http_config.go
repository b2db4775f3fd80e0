package registry

import (
	"errors"
	"net/http"
	"strings"
)

// Compatibility levels and modes, of everything or of one subject.

// Modes. Import, in which ids can be chosen, is not kept here.
const (
	readWrite = "READWRITE"
	readOnly  = "READONLY"
)

// modeOf is the mode that a subject has, its own or the global one.
func (s *Server) modeOf(name string) string {
	if sub := s.subjects[name]; sub != nil && sub.mode != "" {
		return sub.mode
	}
	return s.mode
}

// writable says why a subject may not be changed.
func (s *Server) writable(name string) error {
	if s.modeOf(name) == readOnly {
		return &problem{422, 42205, "Subject " + name + " is in read-only mode"}
	}
	return nil
}

// compatibility compares with one version, or with those that the subject's level
// names.
func (s *Server) compatibility(r *http.Request) (any, error) {
	b, err := avroBody(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name, why := r.PathValue("subject"), ""
	switch v := r.PathValue("version"); v {
	case "":
		why = s.incompatible(name, b.Schema)
	default:
		old, err := s.find(r)
		if errors.Is(err, noSubject) && v == "latest" {
			break // the first schema of a subject has nothing to be compatible with
		}
		if err != nil {
			return nil, err
		}
		why = against(s.levelOf(name), b.Schema, []*version{old})
	}
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
	if sub := s.subjects[name]; name == "" || flag(r, "defaultToGlobal") || sub != nil && sub.config != "" {
		return configValue{s.levelOf(name)}, nil
	}
	return nil, &problem{404, 40408, "Subject '" + name + "' does not have subject-level compatibility configured"}
}

func (s *Server) putConfig(r *http.Request) (any, error) {
	b, err := body[map[string]any](r)
	if err != nil {
		return nil, err
	}
	level, _ := b["compatibility"].(string)
	if _, ok := levels[strings.ToUpper(level)]; !ok {
		return nil, &problem{422, 42203, "Invalid compatibility level"}
	}
	level = strings.ToUpper(level)
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.persist(r.Context(), recordKey{Type: ofConfig, Subject: r.PathValue("subject")}, configValue{level})
	return map[string]string{"compatibility": level}, err
}

// deleteConfig answers what was in force until now.
func (s *Server) deleteConfig(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.PathValue("subject")
	if sub := s.subjects[name]; name != "" && (sub == nil || sub.config == "") {
		return nil, noSubject
	}
	was := configValue{s.levelOf(name)}
	return was, s.persist(r.Context(), recordKey{Type: ofConfig, Subject: name}, nil)
}

func (s *Server) getMode(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.PathValue("subject")
	if sub := s.subjects[name]; name == "" || flag(r, "defaultToGlobal") || sub != nil && sub.mode != "" {
		return modeValue{s.modeOf(name)}, nil
	}
	return nil, &problem{404, 40409, "Subject '" + name + "' does not have subject-level mode configured"}
}

func (s *Server) putMode(r *http.Request) (any, error) {
	b, err := body[modeValue](r)
	if err != nil {
		return nil, err
	}
	b.Mode = strings.ToUpper(b.Mode)
	if b.Mode != readWrite && b.Mode != readOnly {
		return nil, &problem{422, 42204, "Invalid mode: there are " + readWrite + " and " + readOnly}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return b, s.persist(r.Context(), recordKey{Type: ofMode, Subject: r.PathValue("subject")}, b)
}

// deleteMode answers what was in force until now.
func (s *Server) deleteMode(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.PathValue("subject")
	if sub := s.subjects[name]; name != "" && (sub == nil || sub.mode == "") {
		return nil, noSubject
	}
	was := modeValue{s.modeOf(name)}
	return was, s.persist(r.Context(), recordKey{Type: ofMode, Subject: name}, nil)
}
