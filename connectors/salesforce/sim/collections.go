package sim

// Serves /services/data/vNN.N/composite/sobjects: POST creates, PATCH updates, DELETE ?ids= deletes; …/{Obj} GET and POST retrieve;
// …/{Obj}/{ExtField} PATCH upserts (v46 and later). At most 200 records a request, one transaction, items in request order.
//
// Deviations: a value of the wrong JSON kind fails the whole request, as a parser's error; the texts of the limits on records and
// type chunks, and of a wrong or missing type, are ours; the same id twice in one update fails as the same key twice in an upsert does.

import (
	"fmt"
	"net/http"
	"strings"
)

const (
	maxCollection = 200
	maxRetrieve   = 2000
	maxChunks     = 10
)

type collectionBody struct {
	AllOrNone bool             `json:"allOrNone"`
	Records   []map[string]any `json:"records"`
}

func (c *call) collections(segs []string) *apiError {
	switch {
	case len(segs) == 0 && c.r.Method == http.MethodPost:
		return c.collectionCreate()
	case len(segs) == 0 && c.r.Method == http.MethodPatch:
		return c.collectionUpdate()
	case len(segs) == 0 && c.r.Method == http.MethodDelete:
		return c.collectionDelete()
	case len(segs) == 0:
		return methodNotAllowed(c.r.Method, "DELETE,PATCH,POST")
	}
	obj := objectNamed(segs[0])
	if obj == nil {
		return notFound()
	}
	switch {
	case len(segs) == 1 && (c.r.Method == http.MethodGet || c.r.Method == http.MethodPost):
		return c.collectionRetrieve(obj)
	case len(segs) == 1:
		return methodNotAllowed(c.r.Method, "GET,HEAD,POST")
	case len(segs) == 2 && c.version >= 46 && c.r.Method == http.MethodPatch:
		return c.collectionUpsert(obj, segs[1])
	case len(segs) == 2 && c.version >= 46:
		return methodNotAllowed(c.r.Method, "PATCH")
	}
	return notFound()
}

// records reads the body and checks what fails a request as a whole.
func (c *call) records() (*collectionBody, []*object, *apiError) {
	var body collectionBody
	if err := c.decode(&body); err != nil {
		return nil, nil, err
	}
	if err := countRecords(len(body.Records)); err != nil {
		return nil, nil, err
	}
	types := make([]*object, len(body.Records))
	chunks := 0
	for i, rec := range body.Records {
		attrs, _ := rec["attributes"].(map[string]any)
		name, _ := attrs["type"].(string)
		if name == "" {
			return nil, nil, badRequest("INVALID_INPUT", "Include an entity type at index "+fmt.Sprint(i)+": attributes.type is missing")
		}
		obj := objectNamed(name)
		if obj == nil {
			return nil, nil, badRequest("INVALID_TYPE", "sObject type '"+name+"' is not supported.")
		}
		types[i] = obj
		if i == 0 || types[i-1] != obj {
			chunks++
		}
	}
	if chunks > maxChunks {
		return nil, nil, badRequest("LIMIT_EXCEEDED", fmt.Sprintf("a request may change its entity type at most %d times, this one does %d times", maxChunks, chunks))
	}
	return &body, types, nil
}

func countRecords(n int) *apiError {
	switch {
	case n == 0:
		return badRequest("REQUIRED_FIELD_MISSING", "At least 1 record is required")
	case n > maxCollection:
		return badRequest("EXCEEDED_ID_LIMIT", fmt.Sprintf("record limit reached. cannot submit more than %d records into this call", maxCollection))
	}
	return nil
}

// each runs do for every row in one transaction and answers the items. do returns the row's id, which a failed delete shows too.
func (c *call) each(n int, allOrNone bool, upsert bool, do func(t *tx, i int) (id string, created bool, err *apiError)) *apiError {
	out := make([]saveResult, n)
	failed := false
	err := c.write(func(t *tx) *apiError {
		for i := range n {
			id, created, err := do(t, i)
			if err != nil && err.code == "JSON_PARSER_ERROR" {
				return err
			}
			if err != nil {
				failed = true
				out[i] = saveResult{Errors: []itemEntry{err.item()}}
				continue
			}
			out[i] = saveResult{ID: id, Success: true, Errors: []itemEntry{}}
			t.applied = append(t.applied, applied{i, id})
			if upsert {
				out[i].Created = &created
			}
		}
		if failed && allOrNone {
			t.rollback()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if failed && allOrNone {
		rolled := itemEntry{Code: "ALL_OR_NONE_OPERATION_ROLLED_BACK", Fields: []string{},
			Message: "Record rolled back because not all records were valid and the request was using AllOrNone header"}
		for i := range out {
			if !out[i].Success {
				continue
			}
			out[i] = saveResult{Errors: []itemEntry{rolled}, ID: out[i].ID}
			if c.r.Method != http.MethodDelete { // only a rolled-back delete keeps its id
				out[i].ID = ""
			}
		}
	}
	writeJSON(c.w, http.StatusOK, out)
	return nil
}

func (c *call) collectionCreate() *apiError {
	body, types, err := c.records()
	if err != nil {
		return err
	}
	return c.each(len(types), body.AllOrNone, false, func(t *tx, i int) (string, bool, *apiError) {
		id, err := t.insert(types[i], body.Records[i])
		return id, true, err
	})
}

func (c *call) collectionUpdate() *apiError {
	body, types, err := c.records()
	if err != nil {
		return err
	}
	ids := make([]string, len(types))
	seen := map[string]int{}
	for i, rec := range body.Records {
		for name, v := range rec {
			if strings.EqualFold(name, "Id") {
				ids[i], _ = v.(string)
				delete(rec, name)
			}
		}
		if id, ok := canonicalID(ids[i]); ok {
			seen[id]++
		}
	}
	return c.each(len(types), body.AllOrNone, false, func(t *tx, i int) (string, bool, *apiError) {
		id, err := rowID(types[i], ids[i])
		switch {
		case err != nil:
			return "", false, err
		case seen[id] > 1:
			return "", false, badRequest("DUPLICATE_VALUE", "Duplicate id specified: "+id)
		}
		return id, false, t.update(types[i], id, body.Records[i])
	})
}

// rowID checks the id of an item.
func rowID(obj *object, raw string) (string, *apiError) {
	if raw == "" {
		return "", badRequest("MISSING_ARGUMENT", "Id not specified in an update call")
	}
	id, ok := canonicalID(raw)
	if !ok || (obj != nil && objectOfID(id) != obj) {
		return "", badRequest("MALFORMED_ID", "malformed id "+raw)
	}
	return id, nil
}

func (c *call) collectionDelete() *apiError {
	q := c.r.URL.Query()
	var ids []string
	for id := range strings.SplitSeq(q.Get("ids"), ",") {
		if id = strings.TrimSpace(id); id != "" {
			ids = append(ids, id)
		}
	}
	if err := countRecords(len(ids)); err != nil {
		return err
	}
	return c.each(len(ids), q.Get("allOrNone") == "true", false, func(t *tx, i int) (string, bool, *apiError) {
		id, err := rowID(nil, ids[i])
		if err != nil {
			return "", false, err
		}
		obj := objectOfID(id)
		if obj == nil {
			return "", false, badRequest("MALFORMED_ID", "malformed id "+ids[i])
		}
		return id, false, t.remove(obj, id, "")
	})
}

func (c *call) collectionUpsert(obj *object, key string) *apiError {
	f := obj.field(key)
	if f == nil || (!f.external && f.sys != sysID) {
		return badRequest("INVALID_FIELD", "Field name provided, "+key+" does not match an External ID, Salesforce Id, or indexed field for "+obj.name)
	}
	body, types, err := c.records()
	if err != nil {
		return err
	}
	keys := make([]string, len(types))
	seen := map[string]int{}
	for i, rec := range body.Records {
		if types[i] != obj {
			return badRequest("INVALID_INPUT", "All records of an upsert must be of the type in the URL: "+obj.name)
		}
		for name, v := range rec {
			if strings.EqualFold(name, f.name) {
				keys[i], _ = scalarText(v)
				if f.sys == sysID {
					delete(rec, name)
				}
			}
		}
		seen[keys[i]]++
	}
	return c.each(len(types), body.AllOrNone, true, func(t *tx, i int) (string, bool, *apiError) {
		k := keys[i]
		if f.sys == sysID {
			if k == "" {
				id, err := t.insert(obj, body.Records[i])
				return id, true, err
			}
			id, err := rowID(obj, k)
			if err == nil {
				err = t.update(obj, id, body.Records[i])
			}
			return id, false, err
		}
		switch {
		case k == "":
			return "", false, badRequest("MISSING_ARGUMENT", f.name+" not specified")
		case seen[k] > 1:
			return "", false, badRequest("DUPLICATE_VALUE", "Duplicate external id specified: "+k, f.name)
		}
		if r := c.o.tables[obj].byKey(f, k); r != nil {
			return r.id, false, t.update(obj, r.id, body.Records[i])
		}
		id, err := t.insert(obj, body.Records[i])
		return id, true, err
	})
}

func (c *call) collectionRetrieve(obj *object) *apiError {
	var req struct {
		IDs    []string `json:"ids"`
		Fields []string `json:"fields"`
	}
	if c.r.Method == http.MethodPost {
		if err := c.decode(&req); err != nil {
			return err
		}
	} else {
		q := c.r.URL.Query()
		req.IDs, req.Fields = strings.Split(q.Get("ids"), ","), strings.Split(q.Get("fields"), ",")
	}
	if len(req.IDs) > maxRetrieve {
		return badRequest("EXCEEDED_ID_LIMIT", fmt.Sprintf("record limit reached. cannot submit more than %d records into this call", maxRetrieve))
	}
	if len(req.Fields) == 0 || req.Fields[0] == "" {
		return badRequest("MISSING_ARGUMENT", "fields must be specified")
	}
	fields, err := resolveFields(obj, req.Fields)
	if err != nil {
		return err
	}
	b, err := c.appendRetrieved([]byte{'['}, obj, req.IDs, fields)
	if err != nil {
		return err
	}
	writeRaw(c.w, http.StatusOK, append(b, ']'))
	return nil
}

// appendRetrieved appends the records of ids in their order, null for those that are not there.
func (c *call) appendRetrieved(b []byte, obj *object, ids []string, fields []*field) ([]byte, *apiError) {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	for i, raw := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		id, ok := canonicalID(strings.TrimSpace(raw))
		if !ok {
			return nil, badRequest("MALFORMED_ID", "malformed id "+raw)
		}
		if r := c.o.tables[obj].find(id); r != nil && !r.deleted {
			b = obj.appendRecord(b, r, c.base, fields)
		} else {
			b = append(b, "null"...)
		}
	}
	return b, nil
}
