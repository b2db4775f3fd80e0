package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// node is a named or complex Avro type, as far as our files go.
type node struct {
	Type        json.RawMessage `json:"type"`
	Name        string          `json:"name"`
	Doc         string          `json:"doc"`
	Fields      []field         `json:"fields"`
	Items       json.RawMessage `json:"items"`
	LogicalType string          `json:"logicalType"`
}

type field struct {
	Name    string          `json:"name"`
	Type    json.RawMessage `json:"type"`
	Doc     string          `json:"doc"`
	Default json.RawMessage `json:"default"` // nil = none
	// Personal says that it holds, or may hold, personal data.
	Personal bool `json:"personal"`
}

// typeText says a type in words and notes the records that it meets.
func (r *renderer) typeText(raw json.RawMessage) (string, error) {
	switch raw = bytes.TrimSpace(raw); {
	case len(raw) == 0:
		return "", fmt.Errorf("there is no type")
	case raw[0] == '"':
		var name string
		if err := json.Unmarshal(raw, &name); err != nil {
			return "", err
		}
		if _, ok := r.records[name]; ok {
			return link(name), nil
		}
		return name, nil
	case raw[0] == '[':
		var branches []json.RawMessage
		if err := json.Unmarshal(raw, &branches); err != nil {
			return "", err
		}
		if len(branches) != 2 || string(branches[0]) != `"null"` {
			return "", fmt.Errorf("the union %s is not [null, T]", raw)
		}
		text, err := r.typeText(branches[1])
		return text + " or null", err
	}
	var n node
	if err := json.Unmarshal(raw, &n); err != nil {
		return "", err
	}
	var kind string
	if err := json.Unmarshal(n.Type, &kind); err != nil {
		return "", fmt.Errorf("the type %s: %w", n.Type, err)
	}
	switch {
	case kind == "record":
		if _, ok := r.records[n.Name]; !ok {
			r.records[n.Name] = n
			r.order = append(r.order, n.Name)
		}
		return link(n.Name), nil
	case kind == "array":
		text, err := r.typeText(n.Items)
		return "list of " + text, err
	case kind == "long" && n.LogicalType == "timestamp-millis":
		return "instant", nil
	case n.LogicalType == "":
		return kind, nil
	}
	return "", fmt.Errorf("no words for %s", raw)
}

func link(record string) string { return fmt.Sprintf("[%s](#%s)", record, anchor(record)) }
