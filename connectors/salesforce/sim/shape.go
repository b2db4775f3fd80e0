package sim

// Serves POST /_sim/fields: what an admin changes of a field in Setup, for one org. The request says how the field is from then on:
// hidden (deleted, or hidden by field-level security from everybody), read_only, or described with another type, length or values;
// nothing of it is the field as the table has it. A field that was hidden and is shown again is, to whoever reads, a new one.
//
// Deviations: it is kept in memory alone; a hidden field keeps its values; another type, length or list is described, and writes are
// not judged by it; events and whole records still carry a hidden field.

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/crmstream/crmstream/connectors/simkit"
)

// shape is how a field of an org differs from the table.
type shape struct {
	Hidden   bool      `json:"hidden"`
	ReadOnly bool      `json:"read_only"`
	Formula  bool      `json:"formula"`
	Type     fieldType `json:"type"`
	Length   int       `json:"length"`
	Values   []string  `json:"values"`
}

func (o *org) shape(f *field) shape {
	s, _ := o.shapes.Load(f)
	sh, _ := s.(shape)
	return sh
}

// hidden reports whether the org has no such field.
func (o *org) hidden(f *field) bool { return o.shape(f).Hidden }

// locked reports whether a field takes no value in this org, whatever the table says.
func (o *org) locked(f *field) bool { return o.shape(f).ReadOnly || o.shape(f).Formula }

// shaped is a field as the org describes it.
func (o *org) shaped(f *field) *field {
	s := o.shape(f)
	g := *f
	if s.ReadOnly || s.Formula {
		g.create, g.update = false, false
	}
	if s.Type != "" {
		g.typ = s.Type
	}
	if s.Length > 0 {
		g.length = s.Length
	}
	if s.Values != nil {
		g.values = slices.Clone(s.Values)
	}
	return &g
}

func (s *Server) ownFields(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Org    string `json:"org"`
		Object string `json:"object"`
		Field  string `json:"field"`
		shape
	}
	if !simkit.ReadJSON(w, r, &req) {
		return
	}
	o := s.ownOrg(w, req.Org)
	if o == nil {
		return
	}
	obj := objectNamed(req.Object)
	if obj == nil {
		simkit.Error(w, http.StatusNotFound, "no object "+strconv.Quote(req.Object))
		return
	}
	f := obj.field(req.Field)
	if f == nil || f.sys != sysNone {
		simkit.Error(w, http.StatusNotFound, "no field "+strconv.Quote(req.Field)+" on "+obj.name+" that an admin may change")
		return
	}
	o.shapes.Store(f, req.shape)
	writeJSON(w, http.StatusOK, map[string]string{"object": obj.name, "field": f.name})
}
