package salesforce

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/crmstream/crmstream/schemas"
)

// pushed is the data of one event message.
type pushed struct {
	Payload json.RawMessage `json:"payload"`
	Event   struct {
		ReplayID json.RawMessage `json:"replayId"`
	} `json:"event"`
}

type header struct {
	EntityName      string   `json:"entityName"`
	RecordIDs       []string `json:"recordIds"`
	ChangeType      string   `json:"changeType"`
	ChangeOrigin    string   `json:"changeOrigin"`
	ChangedFields   []string `json:"changedFields"`
	NulledFields    []string `json:"nulledFields"`
	DiffFields      []string `json:"diffFields"`
	CommitTimestamp int64    `json:"commitTimestamp"`
}

// event reads one pushed event: its replay id and, where it is of an object of the
// profile, its change. An error with a replay id is an event that can't be read; its
// place in the stream is known all the same.
func (c *conn) event(data json.RawMessage) (replay string, ch *schemas.CRMChange, err error) {
	var p pushed
	if err := json.Unmarshal(data, &p); err != nil {
		return "", nil, fmt.Errorf("reading a pushed event: %w", err)
	}
	// Opaque, and above 2^53 one day: never a float.
	replay = string(bytes.Trim(p.Event.ReplayID, `"`))
	if replay == "" || replay == "null" {
		return "", nil, fmt.Errorf("reading a pushed event: it has no replay id")
	}
	var body row
	if err := json.Unmarshal(p.Payload, &body); err != nil {
		return replay, nil, fmt.Errorf("reading event %s: %w", replay, err)
	}
	var h header
	if err := json.Unmarshal(body["ChangeEventHeader"], &h); err != nil {
		return replay, nil, fmt.Errorf("reading the header of event %s: %w", replay, err)
	}
	if _, person := theProfile.ObjectByName(h.EntityName); !person {
		if _, table := theProfile.TableByName(h.EntityName); !table {
			return replay, nil, nil
		}
	}
	ev := &schemas.StreamEvent{Channel: channel, ChangeType: h.ChangeType, ModifiedAt: h.CommitTimestamp, Origin: h.ChangeOrigin}
	for _, id := range h.RecordIDs {
		// An overflow names no records, and a wide change a pattern of them: what they
		// are of is found by the pages, which go by the records' own stamps.
		if id = NormalizeID(id); recordID.MatchString(id) {
			ev.RecordIDs = append(ev.RecordIDs, id)
		}
	}
	if !strings.HasPrefix(h.ChangeType, "GAP_") && h.ChangeType != "DELETE" {
		ev.Fields = c.changed(h, body)
	}
	ch = &schemas.CRMChange{Provider: name, Account: c.Config.ID, Object: h.EntityName, ObservedAt: c.Now().UnixMilli(), Stream: ev}
	if len(ev.RecordIDs) > 0 {
		ch.ID = ev.RecordIDs[0]
	}
	return replay, ch, nil
}

// changed lists the mapped fields of an event. In an update a field that is named as
// changed and is null or not there was cleared: servers write both forms.
func (c *conn) changed(h header, body row) []schemas.Field {
	var out []schemas.Field
	for _, col := range c.columns(h.EntityName) {
		v, there := flat(body, col)
		switch {
		case slices.Contains(h.DiffFields, col): // its value is a difference
		case there && scalar(v) != nil:
			out = append(out, schemas.Field{Name: col, Value: scalar(v)})
		case h.ChangeType == "CREATE": // only what is not empty comes
		case there, named(h.ChangedFields, col), named(h.NulledFields, col):
			out = append(out, schemas.Field{Name: col})
		}
	}
	return out
}

// flat finds a mapped field in a payload, where FirstName and LastName stand inside
// the compound Name.
func flat(body row, col string) (json.RawMessage, bool) {
	if v, ok := lookup(body, col); ok {
		return v, true
	}
	if slices.Contains(nameParts, col) {
		return lookup(body, "Name."+col)
	}
	return nil, false
}

var nameParts = []string{"FirstName", "LastName"}

func named(fields []string, col string) bool {
	return slices.Contains(fields, col) ||
		slices.Contains(nameParts, col) && (slices.Contains(fields, "Name."+col) || slices.Contains(fields, "Name"))
}
