package simkit

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

// Pair is two writes of one record that should not stand to each other as they do.
type Pair struct {
	First  Write `json:"first"`
	Second Write `json:"second"` // received, or applied, after the first
}

// Verdict is what is wrong with the writes of a CRM.
type Verdict struct {
	// OpenTogether are requests with different content for one record that were open at
	// the same time: the second was received before the first had been applied or
	// refused, and answered or given up.
	OpenTogether []Pair `json:"open_together"`
	// OutOfOrder are older contents that were applied after newer ones.
	OutOfOrder []Pair `json:"out_of_order"`
}

// Judge looks for pairs that one who keeps the writes of a record in order never
// makes. revision tells how new a content is; false = it does not say, and is not
// compared. nil takes a content for as old as its first request: fields that come back
// after others are out of order.
func Judge(ws []Write, revision func(*Write) (int64, bool)) Verdict {
	v := Verdict{OpenTogether: []Pair{}, OutOfOrder: []Pair{}}
	for _, of := range byRecord(ws) {
		slices.SortFunc(of, func(a, b *Write) int { return cmp.Compare(a.Received, b.Received) })
		for i, b := range of {
			for _, a := range of[:i] {
				if a.Request != b.Request && a.Hash != b.Hash && b.Received < a.openUntil() {
					v.OpenTogether = append(v.OpenTogether, Pair{*a, *b})
				}
			}
		}
		first := make(map[string]int64)
		for _, w := range of {
			if _, ok := first[w.Hash]; !ok {
				first[w.Hash] = w.Received
			}
		}
		rev := revision
		if rev == nil {
			rev = func(w *Write) (int64, bool) { return first[w.Hash], w.Part == "" }
		}
		of = slices.DeleteFunc(of, func(w *Write) bool { return w.Applied == 0 })
		slices.SortFunc(of, func(a, b *Write) int { return cmp.Compare(a.Applied, b.Applied) })
		newest, at := int64(math.MinInt64), (*Write)(nil)
		for _, w := range of {
			switch n, ok := rev(w); {
			case !ok:
			case n < newest:
				v.OutOfOrder = append(v.OutOfOrder, Pair{*at, *w})
			default:
				newest, at = n, w
			}
		}
	}
	byTime := func(a, b Pair) int { return cmp.Compare(a.Second.Received, b.Second.Received) }
	slices.SortFunc(v.OpenTogether, byTime)
	slices.SortFunc(v.OutOfOrder, byTime)
	return v
}

// openUntil is when nothing more of the request could happen: it had been applied or
// refused, and its client had an answer or waited for none.
func (w *Write) openUntil() int64 {
	if w.Served == 0 || w.Ended == 0 {
		return math.MaxInt64
	}
	return max(w.Served, w.Ended)
}

// byRecord groups writes by what they write. A record is known by its id, and before it
// has one by its identity: a write that knew only the identity belongs to the record
// that got it.
func byRecord(ws []Write) map[string][]*Write {
	ids := make(map[string]string)
	name := func(w *Write, by string) string { return w.Account + "\x00" + w.Object + "\x00" + by }
	for i := range ws {
		if w := &ws[i]; w.Identity != "" && w.Record != "" {
			ids[name(w, w.Identity)] = w.Record
		}
	}
	groups := make(map[string][]*Write)
	for i := range ws {
		w := &ws[i]
		key := w.Record
		if key == "" {
			if key = ids[name(w, w.Identity)]; key == "" {
				key = w.Identity
			}
		}
		if key == "" { // a record of its own
			key = "\x00" + strconv.FormatInt(w.Request, 10) + "/" + strconv.Itoa(i)
		}
		groups[name(w, key)] = append(groups[name(w, key)], w)
	}
	return groups
}
