package sim

// Serves /services/data/vNN.N/sobjects: the global describe, {Obj} (create), {Obj}/describe, {Obj}/updated, {Obj}/deleted,
// {Obj}/{id} (read, update, delete) and {Obj}/{ExtField}/{value} (read, upsert, delete).
//
// Deviations: no external id here can match two records, so 300 never occurs; an upsert with updateOnly=true and no match answers
// the 404 of an unknown key, which no document states; conditional headers are served for If-Modified-Since and
// If-Unmodified-Since on a record by id only; {Obj}/updated keeps no lag.

import (
	"net/http"
	"regexp"
	"strings"
	"time"
)

func (c *call) sobjects(segs []string) *apiError {
	if len(segs) == 0 {
		return c.globalDescribe()
	}
	obj := objectNamed(segs[0])
	if obj == nil {
		return notFound()
	}
	switch len(segs) {
	case 1:
		return c.objectRoot(obj)
	case 2:
		switch {
		case segs[1] == "describe":
			return c.describe(obj)
		case segs[1] == "updated":
			return c.getUpdated(obj)
		case segs[1] == "deleted":
			return c.getDeleted(obj)
		case segs[1] == "Id" && c.r.Method == http.MethodPost:
			return c.create(obj)
		}
		return c.byID(obj, segs[1])
	case 3:
		f := obj.field(segs[1])
		if f != nil && f.sys == sysID {
			return c.byID(obj, segs[2])
		}
		if f == nil || !f.external || tldLike.MatchString(segs[2]) {
			return notFound()
		}
		return c.byKey(obj, f, segs[2])
	}
	return notFound()
}

// tldLike is a key in the path that the vendor takes for a host name.
var tldLike = regexp.MustCompile(`\.[a-z]{2,6}$`)

func (c *call) objectRoot(obj *object) *apiError {
	switch c.r.Method {
	case http.MethodGet:
		writeJSON(c.w, http.StatusOK, map[string]any{"objectDescribe": c.describeObject(obj), "recentItems": []any{}})
		return nil
	case http.MethodPost:
		return c.create(obj)
	}
	return methodNotAllowed(c.r.Method, "GET,HEAD,POST")
}

type saveResult struct {
	ID      string      `json:"id,omitempty"`
	Success bool        `json:"success"`
	Errors  []itemEntry `json:"errors"`
	Created *bool       `json:"created,omitempty"`
}

func (c *call) create(obj *object) *apiError {
	var body map[string]any
	if err := c.decode(&body); err != nil {
		return err
	}
	var id string
	err := c.write(func(t *tx) (err *apiError) {
		id, err = t.insert(obj, body)
		t.applied = append(t.applied, applied{0, id})
		return err
	})
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", c.base+"/sobjects/"+obj.name+"/"+id)
	writeJSON(c.w, http.StatusCreated, saveResult{ID: id, Success: true, Errors: []itemEntry{}})
	return nil
}

func (c *call) byID(obj *object, raw string) *apiError {
	id, ok := canonicalID(raw)
	if !ok {
		return noSuchKey(raw)
	}
	switch c.r.Method {
	case http.MethodGet, http.MethodHead:
		return c.read(obj, func() *record { return c.o.tables[obj].find(id) }, notFound())
	case http.MethodPatch:
		var body map[string]any
		if err := c.decode(&body); err != nil {
			return err
		}
		for name := range body {
			if strings.EqualFold(name, "Id") {
				return badRequest("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
			}
		}
		err := c.write(func(t *tx) *apiError {
			r, err := c.single(obj, id)
			if err != nil {
				return err
			}
			if since, err := http.ParseTime(c.r.Header.Get("If-Unmodified-Since")); err == nil && r.modified > since.Unix() {
				return &apiError{status: http.StatusPreconditionFailed, code: "PRECONDITION_FAILED", message: "The record has been modified since the given date"}
			}
			t.applied = append(t.applied, applied{0, id})
			return t.update(obj, id, body)
		})
		if err != nil {
			return err
		}
	case http.MethodDelete:
		err := c.write(func(t *tx) *apiError {
			if _, err := c.single(obj, id); err != nil {
				return err
			}
			t.applied = append(t.applied, applied{0, id})
			return t.remove(obj, id, "")
		})
		if err != nil {
			return err
		}
	default:
		return methodNotAllowed(c.r.Method, "DELETE,GET,HEAD,PATCH")
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// single finds a live record for a request by path, where a missing one is 404. The org's mutex is held.
func (c *call) single(obj *object, id string) (*record, *apiError) {
	r := c.o.tables[obj].find(id)
	switch {
	case r == nil:
		return nil, notFound()
	case r.deleted:
		return nil, entityDeleted()
	}
	return r, nil
}

// read answers a record, or missing when find has none.
func (c *call) read(obj *object, find func() *record, missing *apiError) *apiError {
	fields, err := fieldList(obj, c.r.URL.Query().Get("fields"))
	if err != nil {
		return err
	}
	c.o.mu.Lock()
	r := find()
	c.o.mu.Unlock()
	switch {
	case r == nil:
		return missing
	case r.deleted:
		return entityDeleted()
	}
	if since, err := http.ParseTime(c.r.Header.Get("If-Modified-Since")); err == nil && r.modified <= since.Unix() {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	writeRaw(c.w, http.StatusOK, obj.appendRecord(nil, r, c.base, fields))
	return nil
}

// fieldList resolves a comma-separated list; empty is nil, which means all.
func fieldList(obj *object, list string) ([]*field, *apiError) {
	if list == "" {
		return nil, nil
	}
	return resolveFields(obj, strings.Split(list, ","))
}

func resolveFields(obj *object, names []string) ([]*field, *apiError) {
	var out []*field
	for _, name := range names {
		f := obj.field(strings.TrimSpace(name))
		if f == nil {
			return nil, noSuchColumn(obj, strings.TrimSpace(name))
		}
		out = append(out, f)
	}
	return out, nil
}

func (c *call) byKey(obj *object, f *field, value string) *apiError {
	find := func() *record { return c.o.tables[obj].byKey(f, value) }
	switch c.r.Method {
	case http.MethodGet, http.MethodHead:
		return c.read(obj, find, noSuchKey(value))
	case http.MethodDelete:
		err := c.write(func(t *tx) *apiError {
			r := find()
			if r == nil {
				return noSuchKey(value)
			}
			t.applied = append(t.applied, applied{0, r.id})
			return t.remove(obj, r.id, "")
		})
		if err != nil {
			return err
		}
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	case http.MethodPatch:
		return c.upsert(obj, f, value, find)
	}
	return methodNotAllowed(c.r.Method, "DELETE,GET,HEAD,PATCH")
}

func (c *call) upsert(obj *object, f *field, value string, find func() *record) *apiError {
	var body map[string]any
	if err := c.decode(&body); err != nil {
		return err
	}
	for name := range body {
		if bf := obj.field(name); bf != nil && (bf == f || bf.sys == sysID) {
			return badRequest("INVALID_FIELD", "The "+bf.name+" field should not be specified in the sobject data.", bf.name)
		}
	}
	var id string
	created := false
	err := c.write(func(t *tx) (err *apiError) {
		if r := find(); r != nil {
			id = r.id
			t.applied = append(t.applied, applied{0, id})
			return t.update(obj, id, body)
		}
		if c.r.URL.Query().Get("updateOnly") == "true" {
			return noSuchKey(value)
		}
		full := map[string]any{f.name: value}
		for k, v := range body {
			full[k] = v
		}
		created = true
		id, err = t.insert(obj, full)
		t.applied = append(t.applied, applied{0, id})
		return err
	})
	if err != nil {
		return err
	}
	out := saveResult{ID: id, Success: true, Errors: []itemEntry{}}
	if c.version >= 46 {
		out.Created = &created
	}
	switch {
	case created:
		c.w.Header().Set("Location", c.base+"/sobjects/"+obj.name+"/"+id)
		writeJSON(c.w, http.StatusCreated, out)
	case c.version < 46:
		c.w.WriteHeader(http.StatusNoContent)
	default:
		writeJSON(c.w, http.StatusOK, out)
	}
	return nil
}

// window reads the start and end of updated and deleted, to the minute.
func (c *call) window(back time.Duration) (from, to int64, err *apiError) {
	q := c.r.URL.Query()
	start, ok1 := parseTime(strings.ReplaceAll(q.Get("start"), " ", "+"))
	end, ok2 := parseTime(strings.ReplaceAll(q.Get("end"), " ", "+"))
	if !ok1 || !ok2 {
		return 0, 0, badRequest("INVALID_REPLICATION_DATE", "start and end must be ISO 8601 date-times")
	}
	start, end = start.Truncate(time.Minute), end.Truncate(time.Minute)
	if !end.After(start) || c.s.now().Sub(start) > back {
		return 0, 0, badRequest("INVALID_REPLICATION_DATE", "the range must span a minute at least and not reach too far back")
	}
	return start.Unix(), end.Unix(), nil
}

func (c *call) getUpdated(obj *object) *apiError {
	from, to, err := c.window(30 * 24 * time.Hour)
	if err != nil {
		return err
	}
	ids := []string{}
	c.o.mu.Lock()
	for _, s := range c.o.tables[obj].order {
		if r := s.rec; !r.deleted && r.stamp >= from && r.stamp < to {
			ids = append(ids, r.id)
		}
	}
	c.o.mu.Unlock()
	writeJSON(c.w, http.StatusOK, map[string]any{"ids": ids, "latestDateCovered": time.Unix(to, 0).UTC().Format(restTime)})
	return nil
}

func (c *call) getDeleted(obj *object) *apiError {
	from, to, err := c.window(15 * 24 * time.Hour)
	if err != nil {
		return err
	}
	type entry struct {
		ID   string `json:"id"`
		Date string `json:"deletedDate"`
	}
	out := []entry{}
	c.o.mu.Lock()
	for _, s := range c.o.tables[obj].order {
		if r := s.rec; r.deleted && r.stamp >= from && r.stamp < to {
			out = append(out, entry{r.id, time.Unix(r.stamp, 0).UTC().Format(restTime)})
		}
	}
	c.o.mu.Unlock()
	writeJSON(c.w, http.StatusOK, map[string]any{
		"deletedRecords": out, "latestDateCovered": time.Unix(to, 0).UTC().Format(restTime),
		"earliestDateAvailable": c.s.now().Add(-15 * 24 * time.Hour).UTC().Format(restTime),
	})
	return nil
}
