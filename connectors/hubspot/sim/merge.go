package sim

// Serves POST /_sim/merge: a merge by a user in the UI. Since 2025 it makes a new record with an id of its own; the ids of what went
// into it go on meaning it, except in a batch update.
//
// Deviations: the public merge endpoint is not served. No recorded merge event is public; whether a batch read takes the old ids and
// whether the first record's deletion is told beside the others' is not known: here both are so, which asks more of a client.

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/connectors/simkit"
)

func (s *Server) ownMerge(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Portal text   `json:"portal"`
		User   text   `json:"user"`
		Object string `json:"object"`
		Winner text   `json:"winner"`
		Losers []text `json:"losers"`
	}
	if !simkit.ReadJSON(w, r, &in) {
		return
	}
	p, err := s.portalNamed(string(in.Portal))
	ot := typeNamed(in.Object)
	if err != nil || ot == nil || len(in.Losers) == 0 {
		simkit.Error(w, http.StatusBadRequest, "a merge needs a portal, an object, a winner and losers")
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.begin(source{"CRM_UI", "userId:" + string(in.User)})
	made, err := t.merge(p.tables[ot], append([]text{in.Winner}, in.Losers...))
	if err := t.end(err); err != nil {
		simkit.Error(w, http.StatusBadRequest, err.Error())
		return
	}
	simkit.WriteJSON(w, http.StatusOK, map[string]string{"id": strconv.FormatInt(made.id, 10)})
}

// merge makes one record of several: the first one's values win, the associations of all go over.
func (t *tx) merge(tab *table, ids []text) (*record, error) {
	props := map[string]string{}
	var merged []int64
	var names []string
	links := map[node][]spec{}
	for _, id := range ids {
		old, err := tab.find(string(id), "")
		if err != nil {
			return nil, err
		}
		if slices.Contains(merged, old.id) {
			return nil, badRequest("a record cannot be merged with itself")
		}
		for name, v := range old.props {
			if props[name] == "" {
				props[name] = v
			}
		}
		names = append(names, strconv.FormatInt(old.id, 10))
		merged = append(merged, old.id)
		maps.Copy(links, t.p.links[node{tab.ot, old.id}])
		t.archive(tab, old)
	}
	id := t.p.nextID()
	before := maps.Clone(props)
	t.p.initial(tab.ot, t, id, props)
	if v := before["lifecyclestage"]; v != "" {
		props["lifecyclestage"] = v
	}
	props["hs_merged_object_ids"] = strings.Join(names, ";")
	r := &record{ot: tab.ot, id: id, props: props, created: t.at, updated: t.at}
	t.put(tab, r)
	tab.moved(merged, id)
	t.undo = append(t.undo, func() {
		for _, old := range merged {
			delete(tab.into, old)
		}
	})
	t.changes = append(t.changes, change{Op: opMerge, Object: tab.ot.name, ID: id, Props: props, Merged: merged})
	for to, specs := range links {
		self := node{tab.ot, id}
		t.relink(self, to, nil, specs, opLink)
		for _, old := range merged {
			if back := t.p.links[to][node{tab.ot, old}]; len(back) > 0 {
				t.relink(to, self, t.p.links[to][self], back, opLink)
			}
		}
	}
	return r, nil
}
