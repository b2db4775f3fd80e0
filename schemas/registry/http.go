package registry

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
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
	ID         int    `json:"id"`
	Metadata   any    `json:"metadata"`
	RuleSet    any    `json:"ruleSet"`
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
	// A schema itself is what is answered here, not a string that holds it.
	text := func(pattern string, fn func(r *http.Request) (string, error)) {
		handle(pattern, func(r *http.Request) (any, error) {
			schema, err := fn(r)
			return json.RawMessage(schema), err
		})
	}
	handle("GET /{$}", func(*http.Request) (any, error) { return struct{}{}, nil })
	handle("GET /schemas/types", func(*http.Request) (any, error) { return []string{"AVRO"}, nil })
	handle("GET /schemas/ids/{id}", s.schemaByID)
	handle("GET /schemas/ids/{id}/versions", s.versionsByID)
	handle("GET /schemas/ids/{id}/subjects", s.subjectsByID)
	text("GET /schemas/ids/{id}/schema", s.textByID)
	handle("GET /schemas", s.listSchemas)
	handle("GET /contexts", func(*http.Request) (any, error) { return []string{"."}, nil })
	handle("GET /subjects", s.listSubjects)
	handle("POST /subjects/{subject}", s.lookUp)
	handle("DELETE /subjects/{subject}", s.deleteSubject)
	handle("GET /subjects/{subject}/versions", s.listVersions)
	handle("POST /subjects/{subject}/versions", s.registerSchema)
	handle("GET /subjects/{subject}/versions/{version}", s.getVersion)
	text("GET /subjects/{subject}/versions/{version}/schema", s.textOfVersion)
	handle("GET /subjects/{subject}/versions/{version}/referencedby", s.referencedBy)
	handle("DELETE /subjects/{subject}/versions/{version}", s.deleteVersion)
	handle("POST /compatibility/subjects/{subject}/versions", s.compatibility)
	handle("POST /compatibility/subjects/{subject}/versions/{version}", s.compatibility)
	for _, of := range []string{"", "/{subject}"} {
		handle("GET /config"+of, s.getConfig)
		handle("PUT /config"+of, s.putConfig)
		handle("DELETE /config"+of, s.deleteConfig)
		handle("GET /mode"+of, s.getMode)
		handle("PUT /mode"+of, s.putMode)
		handle("DELETE /mode"+of, s.deleteMode)
	}
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

// part cuts a list as offset and limit say; a negative limit is none.
func part[T any](r *http.Request, all []T) []T {
	number := func(name string, unset int) int {
		if n, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil && n >= 0 {
			return n
		}
		return unset
	}
	all = all[min(number("offset", 0), len(all)):]
	return all[:min(number("limit", len(all)), len(all))]
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

func avroBody(r *http.Request) (schemaBody, error) {
	b, err := body[schemaBody](r)
	switch {
	case err != nil:
	case b.Schema == "":
		err = &problem{422, 42201, "Invalid schema: there is none"}
	case b.SchemaType != "" && b.SchemaType != "AVRO":
		err = &problem{422, 42201, "only AVRO is kept here"}
	case len(b.References) > 0:
		err = &problem{422, 42201, "references are not kept here: put all types into one schema"}
	case b.Metadata != nil || b.RuleSet != nil:
		err = &problem{422, 42201, "metadata and rule sets are not kept here: a rule would not be followed"}
	default:
		if _, cerr := canonical(b.Schema); cerr != nil {
			err = &problem{422, 42201, "Invalid schema: " + cerr.Error()}
		}
	}
	return b, err
}
