package sim

// Serves /crm/v4/objects/{from}/{id}/associations/{to} (GET), …/associations/default/{to}/{toId} (PUT), …/associations/{to}/{toId}
// (PUT with labels, DELETE), the v3 form /crm/v3/objects/{from}/{id}/associations/{to}/{toId}/{typeId} (PUT, DELETE), and
// /crm/v4/associations/{from}/{to}/batch/associate/default, create, read and archive.
//
// Deviations: no user-defined labels; limits on the number of associations are not modelled; ids 280, 342 and 6 are the reverse of
// captured ones.

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// node is one record as an end of an association.
type node struct {
	ot *objectType
	id int64
}

// spec is one association type between two records, seen from one of them.
type spec struct {
	Category string `json:"associationCategory"`
	TypeID   int    `json:"associationTypeId"`
}

type associationSpec struct {
	To struct {
		ID text `json:"id"`
	} `json:"to"`
	Types []spec `json:"types"`
}

// link is an association as a read shows it.
type link struct {
	id    int64
	specs []spec
}

type linkedPage struct {
	Results []linkV3 `json:"results"`
}

type linkV3 struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// assocType is one kind of association, both ways.
type assocType struct {
	from, to    string
	there, back int
	primary     bool
}

var assocTypes = []assocType{
	{"calls", "contacts", 194, 193, false}, {"calls", "companies", 182, 181, false}, {"calls", "deals", 206, 205, false},
	{"meetings", "contacts", 200, 199, false}, {"meetings", "companies", 188, 187, false}, {"meetings", "deals", 212, 211, false},
	{"tasks", "contacts", 204, 203, false}, {"tasks", "companies", 192, 191, false}, {"tasks", "deals", 216, 215, false},
	{"contacts", "companies", 279, 280, false}, {"contacts", "companies", 1, 2, true},
	{"deals", "contacts", 3, 4, false}, {"deals", "companies", 341, 342, false}, {"deals", "companies", 5, 6, true},
}

// typeBetween returns the type id from one kind to another and that of the way back; wanted 0 is the default one.
func typeBetween(from, to *objectType, wanted int) (there, back int, ok bool) {
	for _, a := range assocTypes {
		t, b := a.there, a.back
		switch {
		case a.from == from.name && a.to == to.name:
		case a.from == to.name && a.to == from.name:
			t, b = b, t
		default:
			continue
		}
		if wanted == t || wanted == 0 && !a.primary {
			return t, b, true
		}
	}
	return 0, 0, false
}

const hubspotDefined = "HUBSPOT_DEFINED"

func invalidType(category string, id int) error {
	return badRequest("One or more associations are invalid").with("INVALID_ASSOCIATION_TYPE_ID", fmt.Sprintf("%s=%d is not a valid association definition id", category, id))
}

// linkTo associates a record with another, in both directions.
func (t *tx) linkTo(r *record, a associationSpec) error {
	for _, s := range a.Types {
		to := otherEnd(r.ot, s.TypeID)
		if to == nil || s.Category != hubspotDefined {
			return invalidType(s.Category, s.TypeID)
		}
		if err := t.associate(r, to, string(a.To.ID), s.TypeID); err != nil {
			return err
		}
	}
	return nil
}

// otherEnd is the kind of record that a type id leads to.
func otherEnd(from *objectType, id int) *objectType {
	for _, a := range assocTypes {
		switch {
		case a.from == from.name && a.there == id:
			return typeNamed(a.to)
		case a.to == from.name && a.back == id:
			return typeNamed(a.from)
		}
	}
	return nil
}

// associate links r with the record of that kind and id; typ 0 is the default type.
func (t *tx) associate(r *record, to *objectType, id string, typ int) error {
	n, err := strconv.ParseInt(id, 10, 64)
	other := t.p.tables[to].live(n)
	if err != nil || other == nil {
		return badRequest("One or more associations are invalid").with("INVALID_OBJECT_IDS", fmt.Sprintf("%s=%s is not valid", upper(to.singular), id))
	}
	there, back, ok := typeBetween(r.ot, to, typ)
	if !ok {
		return invalidType(hubspotDefined, typ)
	}
	t.setLink(node{r.ot, r.id}, node{to, n}, there)
	t.setLink(node{to, n}, node{r.ot, r.id}, back)
	switch dealToPrimary {
	case there:
		t.setPrimary(r.id, n)
	case back:
		t.setPrimary(n, r.id)
	}
	return nil
}

// dealToPrimary is the type of a deal's association with its primary company.
const dealToPrimary = 5

// setPrimary keeps the property of a deal that follows from its associations.
func (t *tx) setPrimary(deal, company int64) {
	tab := t.p.tables[typeNamed("deals")]
	old, v := tab.live(deal), strconv.FormatInt(company, 10)
	if old == nil || old.props["hs_primary_associated_company"] == v {
		return
	}
	n := old.next(t.at, t.p.indexed(t.at))
	props := map[string]string{"hs_primary_associated_company": v, tab.ot.modified: strconv.FormatInt(t.at, 10)}
	maps.Copy(n.props, props)
	t.put(tab, n)
	t.changes = append(t.changes, change{Op: opUpdate, Object: tab.ot.name, ID: deal, Props: props})
}

func upper(s string) string {
	b := []byte(s)
	for i := range b {
		if b[i] >= 'a' && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

func (t *tx) setLink(from, to node, typ int) {
	old := t.p.links[from][to]
	s := spec{hubspotDefined, typ}
	if slices.Contains(old, s) {
		return
	}
	specs := append(slices.Clone(old), s)
	t.relink(from, to, old, specs, opLink)
}

func (t *tx) relink(from, to node, old, specs []spec, op string) {
	t.p.setLink(from, to, specs)
	t.undo = append(t.undo, func() { t.p.setLink(from, to, old) })
	t.changes = append(t.changes, change{Op: op, Object: from.ot.name, ID: from.id, To: to.ot.name, ToID: to.id, Specs: specs})
}

func (p *portal) setLink(from, to node, specs []spec) {
	if len(specs) == 0 {
		delete(p.links[from], to)
		return
	}
	if p.links[from] == nil {
		p.links[from] = map[node][]spec{}
	}
	p.links[from][to] = specs
}

// linked lists a record's associations with live records of a kind, by id.
func (p *portal) linked(from node, to *objectType) []link {
	var out []link
	for n, specs := range p.links[from] {
		if n.ot == to && p.tables[to].live(n.id) != nil {
			out = append(out, link{n.id, specs})
		}
	}
	slices.SortFunc(out, func(a, b link) int { return int(a.id - b.id) })
	return out
}

func linksV3(from, to *objectType, list []link) linkedPage {
	var page linkedPage
	for _, l := range list {
		page.Results = append(page.Results, linkV3{strconv.FormatInt(l.id, 10), from.singular + "_to_" + to.singular})
	}
	return page
}

type idJSON struct {
	ID text `json:"id"`
}

type linkResult struct {
	From idJSON `json:"from"`
	To   idJSON `json:"to"`
	Spec spec   `json:"associationSpec"`
}

func pairResults(r *record, to *objectType, id string) []linkResult {
	there, back, _ := typeBetween(r.ot, to, 0)
	self := strconv.FormatInt(r.id, 10)
	return []linkResult{
		{idJSON{text(self)}, idJSON{text(id)}, spec{hubspotDefined, there}},
		{idJSON{text(id)}, idJSON{text(self)}, spec{hubspotDefined, back}},
	}
}

// routeRecordAssociations serves what is below a record's associations.
func (c *call) routeRecordAssociations() handler {
	rest := c.segs[3:]
	switch {
	case len(rest) == 1:
		return only(http.MethodGet, (*call).listLinks)
	case len(rest) == 3 && rest[0] == "default":
		return only(http.MethodPut, (*call).putDefault)
	case len(rest) == 2 || len(rest) == 3:
		return (*call).putLabelled
	}
	return nil
}

// ends finds the record of the path and the kind that a segment names.
func (c *call) ends(kind string) (*record, *objectType, error) {
	tab, err := c.object("write")
	if err != nil {
		return nil, nil, err
	}
	r, err := tab.find(c.segs[1], "")
	if err != nil {
		return nil, nil, err
	}
	to := typeNamed(kind)
	if to == nil {
		return nil, nil, plainBadRequest("Unable to infer object type from: %s", kind)
	}
	return r, to, nil
}

func (c *call) listLinks() (int, any, error) {
	r, to, err := c.ends(c.segs[3])
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, map[string]any{"results": toV4(c.p.linked(node{r.ot, r.id}, to))}, nil
}

func toV4(list []link) []map[string]any {
	out := []map[string]any{}
	for _, l := range list {
		var types []map[string]any
		for _, s := range l.specs {
			types = append(types, map[string]any{"category": s.Category, "typeId": s.TypeID, "label": nil})
		}
		out = append(out, map[string]any{"toObjectId": l.id, "associationTypes": types})
	}
	return out
}

func (c *call) putDefault() (int, any, error) {
	r, to, err := c.ends(c.segs[4])
	if err != nil {
		return 0, nil, err
	}
	t := c.p.begin(c.by())
	if err := t.end(t.associate(r, to, c.segs[5], 0)); err != nil {
		return 0, nil, err
	}
	c.applied(0, r.id)
	at := instant(c.now.UnixMilli())
	return http.StatusOK, map[string]any{"status": "COMPLETE", "results": pairResults(r, to, c.segs[5]), "startedAt": at, "completedAt": at}, nil
}

func (c *call) putLabelled() (int, any, error) {
	r, to, err := c.ends(c.segs[3])
	if err != nil {
		return 0, nil, err
	}
	t := c.p.begin(c.by())
	switch c.r.Method {
	case http.MethodDelete:
		if n, err := strconv.ParseInt(c.segs[4], 10, 64); err == nil {
			a, b := node{r.ot, r.id}, node{to, n}
			t.relink(a, b, c.p.links[a][b], nil, opUnlink)
			t.relink(b, a, c.p.links[b][a], nil, opUnlink)
		}
		if err := t.commit(); err != nil {
			return 0, nil, err
		}
		c.applied(0, r.id)
		return http.StatusNoContent, nil, nil
	case http.MethodPut:
	default:
		return 0, nil, newError(http.StatusMethodNotAllowed, "", "HTTP 405 Method Not Allowed")
	}
	var types []spec
	if len(c.segs) == 6 {
		n, err := strconv.Atoi(c.segs[5])
		if err != nil {
			return 0, nil, invalidType(hubspotDefined, 0)
		}
		types = []spec{{hubspotDefined, n}}
	} else if err := decodeBody(c.body, &types); err != nil {
		return 0, nil, err
	}
	for _, s := range types {
		if err := t.associate(r, to, c.segs[4], s.TypeID); err != nil {
			t.rollback()
			return 0, nil, err
		}
	}
	if err := t.commit(); err != nil {
		return 0, nil, err
	}
	c.applied(0, r.id)
	if len(c.segs) == 6 {
		return http.StatusOK, c.p.render(r, r.ot.wanted(nil)), nil
	}
	return http.StatusCreated, map[string]any{"fromObjectTypeId": r.ot.id, "fromObjectId": r.id, "toObjectTypeId": to.id, "toObjectId": c.segs[4], "labels": []string{}}, nil
}

// routeAssociations serves the batch endpoints.
func (c *call) routeAssociations() handler {
	if len(c.segs) < 4 || c.segs[2] != "batch" || typeNamed(c.segs[0]) == nil || typeNamed(c.segs[1]) == nil {
		return nil
	}
	switch {
	case c.segs[3] == "associate" && len(c.segs) == 5 && c.segs[4] == "default", c.segs[3] == "create":
		return only(http.MethodPost, (*call).batchLink)
	case c.segs[3] == "read":
		return only(http.MethodPost, (*call).batchLinks)
	}
	return nil
}

func (c *call) batchLink() (int, any, error) {
	from, to := typeNamed(c.segs[0]), typeNamed(c.segs[1])
	if err := c.need("crm.objects." + from.scope + ".write"); err != nil {
		return 0, nil, err
	}
	var req struct {
		Inputs []struct {
			From  idJSON `json:"from"`
			To    idJSON `json:"to"`
			Types []spec `json:"types"`
		} `json:"inputs"`
	}
	if err := decodeBody(c.body, &req); err != nil {
		return 0, nil, err
	}
	if len(req.Inputs) > 2000 {
		return 0, nil, badRequest("The maximum number of inputs is 2000, got %d", len(req.Inputs))
	}
	t := c.p.begin(c.by())
	results, errs := []linkResult{}, []errorBody{}
	done := make(map[int]int64, len(req.Inputs))
	for i, in := range req.Inputs {
		changes, undo := t.mark()
		r, err := c.p.tables[from].find(string(in.From.ID), "")
		if err == nil {
			types := in.Types
			if len(types) == 0 {
				types = []spec{{hubspotDefined, 0}}
			}
			for _, s := range types {
				if err == nil {
					err = t.associate(r, to, string(in.To.ID), s.TypeID)
				}
			}
		}
		if err != nil {
			t.back(changes, undo)
			entry, perr := partial(err, "")
			if perr != nil {
				t.rollback()
				return 0, nil, perr
			}
			entry.Context = map[string][]string{"fromObjectId": {string(in.From.ID)}, "toObjectId": {string(in.To.ID)}}
			errs = append(errs, entry)
			continue
		}
		results = append(results, pairResults(r, to, string(in.To.ID))...)
		done[i] = r.id
	}
	if err := t.commit(); err != nil {
		return 0, nil, err
	}
	for i, id := range done {
		c.applied(i, id)
	}
	at := instant(c.now.UnixMilli())
	out := map[string]any{"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
	status := http.StatusOK
	if c.segs[3] == "create" {
		status = http.StatusCreated
	}
	if len(errs) > 0 {
		status, out["errors"], out["numErrors"] = http.StatusMultiStatus, errs, len(errs)
	}
	return status, out, nil
}

func (c *call) batchLinks() (int, any, error) {
	from, to := typeNamed(c.segs[0]), typeNamed(c.segs[1])
	if err := c.need("crm.objects." + from.scope + ".read"); err != nil {
		return 0, nil, err
	}
	var req struct {
		Inputs []idJSON `json:"inputs"`
	}
	if err := decodeBody(c.body, &req); err != nil {
		return 0, nil, err
	}
	if len(req.Inputs) > 1000 {
		return 0, nil, badRequest("The maximum number of inputs is 1000, got %d", len(req.Inputs))
	}
	results, errs := []map[string]any{}, []errorBody{}
	for _, in := range req.Inputs {
		n, _ := strconv.ParseInt(string(in.ID), 10, 64)
		list := c.p.linked(node{from, n}, to)
		if len(list) == 0 {
			errs = append(errs, errorBody{Status: "error", Category: "OBJECT_NOT_FOUND", SubCategory: "crm.associations.NO_ASSOCIATIONS_FOUND",
				Message: fmt.Sprintf("No %s is associated with %s %s.", to.singular, from.singular, in.ID),
				Context: map[string][]string{"fromObjectId": {string(in.ID)}, "fromObjectType": {from.singular}, "toObjectType": {to.singular}}})
			continue
		}
		results = append(results, map[string]any{"from": map[string]string{"id": string(in.ID)}, "to": toV4(list)})
	}
	at := instant(c.now.UnixMilli())
	out := map[string]any{"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
	status := http.StatusOK
	if len(errs) > 0 {
		status, out["errors"], out["numErrors"] = http.StatusMultiStatus, errs, len(errs)
	}
	return status, out, nil
}
