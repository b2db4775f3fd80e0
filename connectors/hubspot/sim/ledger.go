package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/crmstream/crmstream/connectors/simkit"
)

// writtenItems reads, from a request and before it is served, which records it wants to write: for the ledger. What the body says is
// believed here; whether it may be, the handler says. kind is what route found.
func (c *call) writtenItems(kind string, body []byte) []simkit.Item {
	if kind == "associations" {
		return c.linkedItems(body)
	}
	var in struct {
		createInput
		Inputs []batchInput `json:"inputs"`
	}
	if kind != "archive" && json.Unmarshal(body, &in) != nil || len(c.segs) == 0 || typeNamed(c.segs[0]) == nil {
		return nil
	}
	ot := typeNamed(c.segs[0])
	var items []simkit.Item
	switch kind {
	case "create":
		items = []simkit.Item{itemOf(ot, in.Properties)}
	case "update":
		it := itemOf(ot, in.Properties)
		it.Record = c.segs[1]
		if by := c.q.Get("idProperty"); by != "" && by != "hs_object_id" {
			it.Record, it.Identity = "", by+"="+c.segs[1]
		}
		items = []simkit.Item{it}
	case "archive":
		items = []simkit.Item{{Object: ot.name, Record: c.segs[1], Content: "archived"}}
	case "batch_create", "batch_update", "batch_upsert", "batch_archive":
		for i := range in.Inputs {
			b := &in.Inputs[i]
			it := itemOf(ot, b.Properties)
			switch {
			case kind == "batch_create":
			case b.IDProperty == "" || b.IDProperty == "hs_object_id":
				it.Record = string(b.ID)
			default:
				it.Identity = b.IDProperty + "=" + string(b.ID)
			}
			if kind == "batch_archive" {
				it.Content = "archived"
			}
			items = append(items, it)
		}
	}
	return items
}

// ownIDs are properties that only say which call a record is.
var ownIDs = []string{"dialer_call_id", "hs_call_external_id"}

// itemOf is a record of a body.
func itemOf(ot *objectType, props map[string]text) simkit.Item {
	it := simkit.Item{Object: ot.name}
	content := make(map[string]string, len(props))
	for name, v := range props {
		if slices.Contains(ownIDs, name) {
			continue
		}
		content[name] = string(v)
	}
	for _, name := range ownIDs {
		if v := props[name]; v != "" && it.Identity == "" {
			it.Identity = name + "=" + string(v)
		}
	}
	it.Content = content
	return it
}

// linkedItems are the records whose associations a request changes.
func (c *call) linkedItems(body []byte) []simkit.Item {
	item := func(from, id string, content ...string) []simkit.Item {
		ot := typeNamed(from)
		if ot == nil {
			return nil
		}
		return []simkit.Item{{Object: ot.name, Record: id, Part: "links", Content: content}}
	}
	switch {
	case len(c.segs) < 4 || c.r.Method == http.MethodGet:
		return nil
	case c.segs[2] == "associations":
		return item(c.segs[0], c.segs[1], append([]string{c.r.Method}, c.segs[3:]...)...)
	case c.segs[3] == "read":
		return nil
	}
	var in struct {
		Inputs []struct {
			From idJSON `json:"from"`
			To   idJSON `json:"to"`
		} `json:"inputs"`
	}
	if json.Unmarshal(body, &in) != nil {
		return nil
	}
	var items []simkit.Item
	for _, p := range in.Inputs {
		items = append(items, item(c.segs[0], string(p.From.ID), strings.Join(c.segs[3:], "/"), c.segs[1], string(p.To.ID))...)
	}
	return items
}
