package hubspot

import (
	"slices"
	"strconv"

	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

// record is one record of an answer. Values are text or null.
type record struct {
	ID         string             `json:"id"`
	Properties map[string]*string `json:"properties"`
	UpdatedAt  string             `json:"updatedAt"`
	Archived   bool               `json:"archived"`
	New        bool               `json:"new"`
	Trace      string             `json:"objectWriteTraceId"`
}

func (r *record) value(property string) string {
	if v := r.Properties[property]; v != nil {
		return *v
	}
	return ""
}

// answer is a batch's: results in any order, and errors beside them.
type answer struct {
	Results []record `json:"results"`
	Errors  []fault  `json:"errors"`
}

// settle gives each item that was sent its own result: by trace id, else by what
// the record and the item have in common. What is left without an answer is unknown.
func (a *attempt) settle(got *answer, places []int) {
	left := slices.Clone(places)
	take := func(match func(i int) bool) int {
		n := slices.IndexFunc(left, match)
		if n < 0 {
			return -1
		}
		i := left[n]
		left = slices.Delete(left, n, n+1)
		return i
	}
	for n := range got.Results {
		rec := &got.Results[n]
		i := take(func(i int) bool { return rec.Trace != "" && rec.Trace == strconv.Itoa(i) })
		if i < 0 {
			i = take(func(i int) bool { return a.same(rec, i) })
		}
		if i < 0 && len(places) == 1 && len(got.Results) == 1 {
			i = take(func(int) bool { return true })
		}
		if i >= 0 {
			a.took(i, rec)
		}
	}
	var loose []*fault
	for n := range got.Errors {
		f := &got.Errors[n]
		traces, ids := f.Context["objectWriteTraceId"], slices.Concat(f.Context["ids"], f.Context["id"])
		found := false
		for {
			i := take(func(i int) bool {
				it := &a.At.Items[i]
				return slices.Contains(traces, strconv.Itoa(i)) ||
					it.ID != "" && slices.Contains(ids, it.ID) || it.Identity != "" && slices.Contains(ids, it.Identity)
			})
			if i < 0 {
				break
			}
			found = true
			a.failed(i, f)
		}
		if !found {
			loose = append(loose, f)
		}
	}
	if len(loose) == 1 && len(left) == 1 {
		a.failed(left[0], loose[0])
		return
	}
	for _, i := range left {
		a.Unanswered(i)
	}
}

// same reports whether a result without a trace id is the one of item i.
func (a *attempt) same(rec *record, i int) bool {
	it := &a.At.Items[i]
	switch a.At.Operation {
	case schemas.OpUpdate:
		return rec.ID == it.ID
	case schemas.OpUpsert:
		return rec.value(it.IdentityField) == it.Identity
	}
	for _, f := range it.Fields {
		if f.Name == externalID && f.Value != nil && *f.Value != "" {
			return rec.value(externalID) == *f.Value
		}
	}
	return false
}

func (a *attempt) took(i int, rec *record) {
	r := &a.Res.Items[i]
	r.Outcome, r.ID, r.URL = schemas.Sent, rec.ID, a.itemURL(a.At.Object, rec.ID)
	r.Created = rec.New || a.At.Operation == schemas.OpCreate
	r.Linked = a.At.Operation == schemas.OpCreate // its associations went with it
}

func (a *attempt) failed(i int, f *fault) {
	r := &a.Res.Items[i]
	class, id := a.written(f)
	r.Outcome, r.Error, r.Code, r.Message, r.Fields = schemas.Sent, class, f.code(), rest.Redact(f.Message), f.fields()
	if id != "" {
		r.ID, r.URL = id, a.itemURL(a.At.Object, id)
	}
}
