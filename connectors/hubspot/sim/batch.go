package sim

// Serves POST /crm/v3/objects/{type}/batch/read, create, update, upsert and archive.
//
// Deviations: a batch is one transaction and one line of the log; values that are not valid in an update without trace ids refuse the
// whole batch, as they do in a create; in upsert by e-mail nothing is partial, trace ids or not; archiving an unknown id is a 204.

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/connectors/simkit"
)

const maxInputs = 100

type batchInput struct {
	ID         text   `json:"id"`
	IDProperty string `json:"idProperty"`
	createInput
}

type batchRequest struct {
	Properties []string     `json:"properties"`
	IDProperty string       `json:"idProperty"`
	Inputs     []batchInput `json:"inputs"`
}

type batchAnswer struct {
	Status      string        `json:"status"`
	Results     []*recordJSON `json:"results"`
	NumErrors   int           `json:"numErrors,omitempty"`
	Errors      []errorBody   `json:"errors,omitempty"`
	StartedAt   string        `json:"startedAt"`
	CompletedAt string        `json:"completedAt"`
}

// batch reads a batch request and refuses what is too long.
func (c *call) batch(right string) (*table, *batchRequest, error) {
	tab, err := c.object(right)
	if err != nil {
		return nil, nil, err
	}
	var req batchRequest
	if err := decodeBody(c.body, &req); err != nil {
		return nil, nil, err
	}
	if n := len(req.Inputs); n > maxInputs {
		return nil, nil, badRequest("The maximum number of inputs supported in a batch request for property histories is %d, got %d", maxInputs, n)
	}
	return tab, &req, nil
}

// answer finishes a batch. The vendor gives the results in no order.
func (c *call) answer(done int, results []*recordJSON, errs []errorBody) (int, any, error) {
	rand.Shuffle(len(results), func(i, j int) { results[i], results[j] = results[j], results[i] })
	if results == nil {
		results = []*recordJSON{}
	}
	status := done
	if len(errs) > 0 {
		status = http.StatusMultiStatus
	}
	return status, batchAnswer{
		Status: "COMPLETE", Results: results, NumErrors: len(errs), Errors: errs,
		StartedAt: instant(c.now.UnixMilli()), CompletedAt: instant(c.srv.now().UnixMilli()),
	}, nil
}

// unknownIDs is the one entry that tells of all ids that were not found.
func (t *table) unknownIDs(ids []string) []errorBody {
	if len(ids) == 0 {
		return nil
	}
	return []errorBody{{
		Status: "error", Category: "OBJECT_NOT_FOUND", Context: map[string][]string{"ids": ids},
		Message: "Could not get some " + strings.ToUpper(t.ot.singular) + " objects, they may be deleted or not exist. Check that ids are valid.",
	}}
}

// duplicate refuses a batch that names something twice.
func duplicate(ids []string) error {
	seen := map[string]bool{}
	var twice []string
	for _, id := range ids {
		if k := uniqueKey(id); seen[k] && !slices.Contains(twice, id) {
			twice = append(twice, id)
		} else {
			seen[k] = true
		}
	}
	if twice == nil {
		return nil
	}
	return badRequest("Duplicate IDs found in batch input: [%s]. IDs must be unique", strings.Join(twice, ", ")).with("ids", twice...)
}

func (r *batchRequest) ids() []string {
	out := make([]string, len(r.Inputs))
	for i := range r.Inputs {
		out[i] = string(r.Inputs[i].ID)
	}
	return out
}

// traced says whether every input has a trace id of its own: only then may a part of the batch fail alone.
func (r *batchRequest) traced() bool {
	seen := map[string]bool{}
	for i := range r.Inputs {
		id := r.Inputs[i].TraceID
		if id == "" || seen[id] {
			return false
		}
		seen[id] = true
	}
	return len(seen) > 0
}

// partial makes an entry of a batch's errors, or returns err if it must fail the whole batch.
func partial(err error, traceID string) (errorBody, error) {
	var e *apiError
	if !errors.As(err, &e) {
		return errorBody{}, err
	}
	body := e.body
	body.Context = map[string][]string{"objectWriteTraceId": {traceID}}
	for k, v := range e.body.Context {
		body.Context[k] = v
	}
	if e.existing != 0 {
		body.Context["existingId"] = []string{strconv.FormatInt(e.existing, 10)}
	}
	return body, nil
}

// each runs fn over the inputs, in no order, within one transaction. An input that fails takes back its own changes if alone may
// fail, and all of them if not.
func (c *call) each(req *batchRequest, alone bool, fn func(t *tx, in *batchInput) (*recordJSON, error)) (results []*recordJSON, errs []errorBody, err error) {
	t := c.p.begin(c.by())
	done := make(map[int]string, len(req.Inputs))
	for _, i := range rand.Perm(len(req.Inputs)) {
		in := &req.Inputs[i]
		changes, undo := t.mark()
		row, err := fn(t, in)
		switch {
		case err == nil && row != nil:
			row.TraceID = in.TraceID
			results = append(results, row)
			done[i] = row.ID
		case err != nil && alone:
			t.back(changes, undo)
			entry, err := partial(err, in.TraceID)
			if err != nil {
				t.rollback()
				return nil, nil, err
			}
			errs = append(errs, entry)
		case err != nil:
			t.rollback()
			return nil, nil, err
		}
	}
	if err := t.commit(); err != nil {
		return nil, nil, err
	}
	for i, id := range done {
		simkit.Writing(c.r).Applied(i, id)
	}
	return results, errs, nil
}

func (c *call) batchRead() (int, any, error) {
	tab, req, err := c.batch("read")
	if err != nil {
		return 0, nil, err
	}
	if p := req.IDProperty; p != "" && p != "hs_object_id" && tab.unique[p] == nil {
		return 0, nil, tab.nonUnique(p)
	}
	var results []*recordJSON
	var unknown []string
	seen := map[int64]bool{}
	for i := range req.Inputs {
		id := string(req.Inputs[i].ID)
		r, err := tab.find(id, req.IDProperty)
		switch {
		case err != nil:
			unknown = append(unknown, id)
		case !seen[r.id]:
			seen[r.id] = true
			results = append(results, c.p.render(r, tab.ot.wanted(req.Properties)))
		}
	}
	return c.answer(http.StatusOK, results, tab.unknownIDs(unknown))
}

func (c *call) batchCreate() (int, any, error) {
	tab, req, err := c.batch("write")
	if err != nil {
		return 0, nil, err
	}
	results, errs, err := c.each(req, req.traced(), func(t *tx, in *batchInput) (*recordJSON, error) {
		r, err := t.createLinked(tab, &in.createInput)
		if err != nil {
			return nil, err
		}
		return c.p.render(r, keysOf(r.props)), nil
	})
	if err != nil {
		return 0, nil, err
	}
	return c.answer(http.StatusCreated, results, errs)
}

func (c *call) batchUpdate() (int, any, error) {
	tab, req, err := c.batch("write")
	if err != nil {
		return 0, nil, err
	}
	if err := duplicate(req.ids()); err != nil {
		return 0, nil, err
	}
	found := make(map[*batchInput]*record, len(req.Inputs))
	var unknown, resolved []string
	for i := range req.Inputs {
		in := &req.Inputs[i]
		if p := in.IDProperty; p != "" && (p == "hs_object_id" || p == "email" || tab.unique[p] == nil) {
			return 0, nil, tab.nonUnique(p)
		}
		r, err := tab.find(string(in.ID), in.IDProperty)
		if err != nil || in.IDProperty == "" && strconv.FormatInt(r.id, 10) != string(in.ID) { // an id that was merged away is not known here
			unknown = append(unknown, string(in.ID))
			continue
		}
		found[in] = r
		resolved = append(resolved, strconv.FormatInt(r.id, 10))
	}
	if err := duplicate(resolved); err != nil {
		return 0, nil, err
	}
	results, errs, err := c.each(req, req.traced(), func(t *tx, in *batchInput) (*recordJSON, error) {
		if found[in] == nil {
			return nil, nil
		}
		r, names, err := t.update(tab, found[in], in.Properties)
		if err != nil {
			return nil, err
		}
		return c.p.render(r, names), nil
	})
	if err != nil {
		return 0, nil, err
	}
	return c.answer(http.StatusOK, results, append(errs, tab.unknownIDs(unknown)...))
}

func (c *call) batchUpsert() (int, any, error) {
	tab, req, err := c.batch("write")
	if err != nil {
		return 0, nil, err
	}
	if err := duplicate(req.ids()); err != nil {
		return 0, nil, err
	}
	alone := req.traced()
	for i := range req.Inputs {
		in := &req.Inputs[i]
		if in.IDProperty == "" || tab.unique[in.IDProperty] == nil {
			return 0, nil, tab.nonUnique(cmp.Or(in.IDProperty, "hs_object_id"))
		}
		alone = alone && in.IDProperty != "email"
	}
	results, errs, err := c.each(req, alone, func(t *tx, in *batchInput) (*recordJSON, error) {
		props := make(map[string]text, len(in.Properties)+1)
		props[in.IDProperty] = in.ID
		for k, v := range in.Properties {
			props[k] = v
		}
		old := tab.byKey(in.IDProperty, string(in.ID))
		isNew := old == nil
		if isNew {
			r, err := t.createLinked(tab, &createInput{Properties: props, Associations: in.Associations})
			if err != nil {
				return nil, err
			}
			out := c.p.render(r, keysOf(r.props))
			out.New = &isNew
			return out, nil
		}
		r, names, err := t.update(tab, old, props)
		if err != nil {
			return nil, err
		}
		out := c.p.render(r, names)
		out.New = &isNew
		return out, nil
	})
	if err != nil {
		return 0, nil, err
	}
	return c.answer(http.StatusOK, results, errs)
}

func (c *call) batchArchive() (int, any, error) {
	tab, req, err := c.batch("write")
	if err != nil {
		return 0, nil, err
	}
	_, _, err = c.each(req, false, func(t *tx, in *batchInput) (*recordJSON, error) {
		r, err := tab.find(string(in.ID), "")
		if err != nil {
			return nil, nil //nolint:nilerr // what is not there is archived already
		}
		t.archive(tab, r)
		return c.p.render(r, nil), nil
	})
	return http.StatusNoContent, nil, err
}
