package sim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/crmstream/crmstream/connectors/simkit"
)

// writtenItems reads, from a request and before it is served, which records it wants to write: for the ledger. What the body says is
// believed here; whether it may be, the handler says.
func writtenItems(method string, segs []string, q url.Values, body []byte) []simkit.Item {
	if len(segs) < 5 || segs[0] != "services" || segs[1] != "data" {
		return nil
	}
	kind, rest := segs[3], segs[4:]
	switch {
	case method == http.MethodGet || method == http.MethodHead:
		return nil
	case kind == "composite" && rest[0] == "sobjects":
		return collectionItems(method, rest[1:], q, body)
	case kind != "sobjects":
		return nil
	}
	fields, ok := readFields(body)
	obj := objectNamed(rest[0])
	if obj == nil || !ok && method != http.MethodDelete {
		return nil
	}
	switch len(rest) {
	case 1:
		return []simkit.Item{itemOf(obj, fields, nil)}
	case 2:
		if rest[1] == "Id" {
			return []simkit.Item{itemOf(obj, fields, nil)}
		}
		it := itemOf(obj, fields, nil)
		it.Record, _ = canonicalID(rest[1])
		return []simkit.Item{it}
	case 3:
		it := itemOf(obj, fields, nil)
		if f := obj.field(rest[1]); f != nil && f.sys == sysID {
			it.Record, _ = canonicalID(rest[2])
		} else if f != nil {
			it.Identity = f.name + "=" + rest[2]
		}
		return []simkit.Item{it}
	}
	return nil
}

func collectionItems(method string, rest []string, q url.Values, body []byte) []simkit.Item {
	var items []simkit.Item
	if method == http.MethodDelete {
		for id := range strings.SplitSeq(q.Get("ids"), ",") {
			it := simkit.Item{Content: "deleted"}
			it.Record, _ = canonicalID(strings.TrimSpace(id))
			if obj := objectOfID(it.Record); obj != nil {
				it.Object = obj.name
			}
			items = append(items, it)
		}
		return items
	}
	if method == http.MethodPost && len(rest) > 0 { // a retrieve
		return nil
	}
	var in struct {
		Records []map[string]any `json:"records"`
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&in) != nil {
		return nil
	}
	for _, rec := range in.Records {
		attrs, _ := rec["attributes"].(map[string]any)
		name, _ := attrs["type"].(string)
		obj := objectNamed(name)
		if obj == nil {
			return nil // the request is refused as a whole
		}
		var key *field
		if len(rest) > 1 {
			key = obj.field(rest[1])
		}
		items = append(items, itemOf(obj, rec, key))
	}
	return items
}

func readFields(body []byte) (map[string]any, bool) {
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	return m, dec.Decode(&m) == nil
}

// itemOf is a record of a body. Its id and external ids only name it; key is the one that an upsert goes by, nil for none.
func itemOf(obj *object, fields map[string]any, key *field) simkit.Item {
	it := simkit.Item{Object: obj.name, Content: "deleted"}
	if fields == nil {
		return it
	}
	content := make(map[string]any, len(fields))
	for name, v := range fields {
		f := obj.field(name)
		switch {
		case name == "attributes":
		case f != nil && f.sys == sysID:
			raw, _ := v.(string)
			it.Record, _ = canonicalID(raw)
		case f != nil && f.external:
			if text, _ := scalarText(v); text != "" && (key == nil || key == f) {
				it.Identity = f.name + "=" + text
			}
		case f != nil && f.create && !f.update: // it stands as the record was made: a later write can't differ in it
		case f != nil:
			content[f.name] = v
		default:
			content[name] = v
		}
	}
	it.Content = content
	return it
}
