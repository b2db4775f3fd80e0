package sim

// Serves /crm/v3/objects/{type} (GET list, POST create) and /crm/v3/objects/{type}/{id} (GET, PATCH, DELETE).
//
// Deviations: propertiesWithHistory is ignored; a DELETE of an id that is not there is a 204, as one of an archived record is said to
// be; PATCH of an e-mail onto another contact is a 400, which no document settles; paging tokens are the last id, not the next.

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// recordJSON is a record as it is answered.
type recordJSON struct {
	ID           string                `json:"id"`
	Properties   map[string]*string    `json:"properties"`
	CreatedAt    string                `json:"createdAt"`
	UpdatedAt    string                `json:"updatedAt"`
	Archived     bool                  `json:"archived"`
	ArchivedAt   string                `json:"archivedAt,omitempty"`
	Associations map[string]linkedPage `json:"associations,omitempty"`
	URL          string                `json:"url,omitempty"`
	TraceID      string                `json:"objectWriteTraceId,omitempty"`
	New          *bool                 `json:"new,omitempty"`
}

type page struct {
	Results []*recordJSON `json:"results"`
	Paging  *paging       `json:"paging,omitempty"`
}

type paging struct {
	Next nextPage `json:"next"`
}

type nextPage struct {
	After string `json:"after"`
	Link  string `json:"link,omitempty"`
}

func (c *call) routeObjects() (handler, string) {
	if len(c.segs) == 0 {
		return nil, "other"
	}
	n, verb := len(c.segs), c.r.Method
	if typeNamed(c.segs[0]) == nil {
		return func(c *call) (int, any, error) {
			return 0, nil, plainBadRequest("Unable to infer object type from: %s", c.segs[0])
		}, "other"
	}
	switch {
	case n == 1 && verb == http.MethodGet:
		return (*call).list, "list"
	case n == 1:
		return only(http.MethodPost, (*call).create), "create"
	case n == 2 && c.segs[1] == "search":
		return only(http.MethodPost, (*call).search), "search"
	case n == 3 && c.segs[1] == "batch":
		h := map[string]handler{
			"read": (*call).batchRead, "create": (*call).batchCreate, "update": (*call).batchUpdate,
			"upsert": (*call).batchUpsert, "archive": (*call).batchArchive,
		}[c.segs[2]]
		if h == nil {
			return nil, "other"
		}
		return only(http.MethodPost, h), "batch_" + c.segs[2]
	case n == 2:
		switch verb {
		case http.MethodGet:
			return (*call).read, "read"
		case http.MethodDelete:
			return (*call).archive, "archive"
		}
		return only(http.MethodPatch, (*call).update), "update"
	case c.segs[2] == "associations":
		return c.routeRecordAssociations(), "associations"
	}
	return nil, "other"
}

// object finds the table of a request, if its token may do that to it.
func (c *call) object(right string) (*table, error) {
	ot := typeNamed(c.segs[0])
	return c.p.tables[ot], c.need("crm.objects." + ot.scope + "." + right)
}

// find returns the live record that an id means; one that was merged away means what it went into.
func (t *table) find(id, idProperty string) (*record, error) {
	if idProperty == "" || idProperty == "hs_object_id" {
		n, err := strconv.ParseInt(id, 10, 64)
		if r := t.survivor(n); err == nil && r != nil {
			return r, nil
		}
		return nil, notFound(id)
	}
	if t.unique[idProperty] == nil {
		return nil, t.nonUnique(idProperty)
	}
	if r := t.byKey(idProperty, id); r != nil {
		return r, nil
	}
	return nil, newError(http.StatusNotFound, "", "resource not found")
}

func (t *table) nonUnique(name string) error {
	return badRequest("Unable to perform update/upsert by non-unique %s property %s", t.ot.id, name)
}

// render shows the named properties of a record, null where they are not set; names that do not exist are left out.
func (p *portal) render(r *record, names []string) *recordJSON {
	tab := p.tables[r.ot]
	out := &recordJSON{
		ID: strconv.FormatInt(r.id, 10), Properties: make(map[string]*string, len(names)), CreatedAt: instant(r.created), UpdatedAt: instant(r.updated),
		Archived: r.archived, URL: fmt.Sprintf("https://app.hubspot.com/contacts/%d/record/%s/%d", p.id, r.ot.id, r.id),
	}
	if r.archived {
		out.ArchivedAt = instant(r.archivedAt)
	}
	for _, name := range names {
		if tab.props[name] == nil {
			continue
		}
		out.Properties[name] = nil
		if v, ok := r.props[name]; ok {
			v = tab.shown(name, v)
			out.Properties[name] = &v
		}
	}
	return out
}

// wanted is what a read returns: what was asked for, or the type's defaults.
func (ot *objectType) wanted(asked []string) []string {
	if len(asked) == 0 {
		return ot.returned
	}
	return append(ot.always(), asked...)
}

// keysOf are all properties that a record has.
func keysOf(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

// listed splits a parameter that may be repeated and hold commas.
func listed(q url.Values, name string) []string {
	var out []string
	for _, v := range q[name] {
		for s := range strings.SplitSeq(v, ",") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}

// withAssociations adds the associations a read asks for.
func (c *call) withAssociations(out *recordJSON, r *record) error {
	for _, name := range listed(c.q, "associations") {
		to := typeNamed(name)
		if to == nil {
			return plainBadRequest("Unable to infer object type from: %s", name)
		}
		if list := c.p.linked(node{r.ot, r.id}, to); len(list) > 0 {
			if out.Associations == nil {
				out.Associations = map[string]linkedPage{}
			}
			out.Associations[to.name] = linksV3(r.ot, to, list)
		}
	}
	return nil
}

func (c *call) limit(def, most int) (int, error) {
	v := c.q.Get("limit")
	if v == "" {
		return def, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > most {
		return 0, badRequest("limit must be a number from 1 to %d", most)
	}
	return n, nil
}

func (c *call) list() (int, any, error) {
	tab, err := c.object("read")
	if err != nil {
		return 0, nil, err
	}
	limit, err := c.limit(10, 100)
	if err != nil {
		return 0, nil, err
	}
	start := 0
	if after := c.q.Get("after"); after != "" {
		n, err := strconv.ParseInt(after, 10, 64)
		if err != nil {
			return 0, nil, badRequest("Invalid value for after: %s", after)
		}
		start, _ = slices.BinarySearch(tab.order, n+1)
	}
	names := tab.ot.wanted(listed(c.q, "properties"))
	archived := c.q.Get("archived") == "true"
	out := page{Results: []*recordJSON{}}
	for _, id := range tab.order[start:] {
		r := tab.rows[id]
		if r.archived != archived {
			continue
		}
		if len(out.Results) == limit {
			after := out.Results[limit-1].ID
			link := c.q
			link.Set("after", after)
			out.Paging = &paging{nextPage{After: after, Link: "http://" + c.r.Host + c.r.URL.Path + "?" + link.Encode()}}
			break
		}
		row := c.p.render(r, names)
		if err := c.withAssociations(row, r); err != nil {
			return 0, nil, err
		}
		out.Results = append(out.Results, row)
	}
	return http.StatusOK, out, nil
}

func (c *call) read() (int, any, error) {
	tab, err := c.object("read")
	if err != nil {
		return 0, nil, err
	}
	var r *record
	if id, perr := strconv.ParseInt(c.segs[1], 10, 64); perr == nil && c.q.Get("archived") == "true" && tab.rows[id] != nil && tab.rows[id].archived {
		r = tab.rows[id]
	} else if r, err = tab.find(c.segs[1], c.q.Get("idProperty")); err != nil {
		return 0, nil, err
	}
	out := c.p.render(r, tab.ot.wanted(listed(c.q, "properties")))
	return http.StatusOK, out, c.withAssociations(out, r)
}

// createInput is a record to be created, alone or in a batch.
type createInput struct {
	Properties   map[string]text   `json:"properties"`
	Associations []associationSpec `json:"associations"`
	TraceID      string            `json:"objectWriteTraceId"`
}

func (c *call) create() (int, any, error) {
	tab, err := c.object("write")
	if err != nil {
		return 0, nil, err
	}
	var in createInput
	if err := decodeBody(c.body, &in); err != nil {
		return 0, nil, err
	}
	t := c.p.begin(c.by())
	r, err := t.createLinked(tab, &in)
	if err := t.end(err); err != nil {
		return 0, nil, err
	}
	c.applied(0, r.id)
	c.head.Set("Location", fmt.Sprintf("http://%s%s/%d", c.r.Host, strings.TrimSuffix(c.r.URL.Path, "/"), r.id))
	return http.StatusCreated, c.p.render(r, keysOf(r.props)), nil
}

// createLinked makes a record with its associations.
func (t *tx) createLinked(tab *table, in *createInput) (*record, error) {
	r, err := t.create(tab, in.Properties)
	if err != nil {
		return nil, err
	}
	for _, a := range in.Associations {
		if err := t.linkTo(r, a); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (c *call) update() (int, any, error) {
	tab, err := c.object("write")
	if err != nil {
		return 0, nil, err
	}
	var in createInput
	if err := decodeBody(c.body, &in); err != nil {
		return 0, nil, err
	}
	if len(in.Properties) == 0 {
		return 0, nil, plainBadRequest("No properties found to update, please provide at least one.")
	}
	old, err := tab.find(c.segs[1], c.q.Get("idProperty"))
	if err != nil {
		return 0, nil, err
	}
	t := c.p.begin(c.by())
	r, names, err := t.update(tab, old, in.Properties)
	if err := t.end(err); err != nil {
		return 0, nil, err
	}
	c.applied(0, r.id)
	return http.StatusOK, c.p.render(r, names), nil
}

func (c *call) archive() (int, any, error) {
	tab, err := c.object("write")
	if err != nil {
		return 0, nil, err
	}
	r, err := tab.find(c.segs[1], c.q.Get("idProperty"))
	if err != nil {
		if _, perr := strconv.ParseInt(c.segs[1], 10, 64); perr == nil {
			return http.StatusNoContent, nil, nil
		}
		return 0, nil, err
	}
	t := c.p.begin(c.by())
	t.archive(tab, r)
	if err := t.commit(); err != nil {
		return 0, nil, err
	}
	c.applied(0, r.id)
	return http.StatusNoContent, nil, nil
}
