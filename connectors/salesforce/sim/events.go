package sim

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors/simkit"
)

// Change events: kept by reference to their line of the log and rendered when they are delivered.
// Deviations: no GAP or overflow events; no enrichment; a value set to null is named in changedFields and left out of the body,
// as newer orgs do; an undelete has no CreatedDate and CreatedById; the schema id is stable per entity, and its schema is not served.

// eventRef is one retained event.
type eventRef struct {
	replay int64
	at     int64 // Unix ms
	obj    *object
	line   *simkit.Ref
	index  int // in the line's events
	size   int // of the message, roughly
}

// addEvents takes in the events of a transaction that is in the log, and wakes the long polls.
func (o *org) addEvents(t *logTx, ref *simkit.Ref) {
	if len(t.Events) == 0 {
		return
	}
	for i, e := range t.Events {
		c := t.Changes[e.First]
		o.events = append(o.events, eventRef{replay: e.Replay, at: t.At, obj: objects[c.Obj], line: ref, index: i, size: 600 + len(c.Fields) + 21*e.Count})
		o.lastReplay = e.Replay
	}
	o.expireEvents()
	close(o.changed)
	o.changed = make(chan struct{})
}

// expireEvents forgets events older than the retention.
func (o *org) expireEvents() {
	limit := o.srv.now().Add(-eventRetention).UnixMilli()
	n := 0
	for n < len(o.events) && o.events[n].at < limit {
		n++
	}
	o.events = o.events[n:]
}

// dropEvents forgets events up to a replay id.
func (o *org) dropEvents(upTo int64) { o.events = o.events[o.firstAfter(upTo):] }

// firstAfter is the place of the first retained event with a higher replay id.
func (o *org) firstAfter(replay int64) int {
	i, found := slices.BinarySearchFunc(o.events, replay, func(e eventRef, id int64) int {
		switch {
		case e.replay < id:
			return -1
		case e.replay > id:
			return 1
		}
		return 0
	})
	if found {
		i++
	}
	return i
}

// retained reports whether a client may resume after this replay id.
func (o *org) retained(replay int64) bool {
	o.expireEvents()
	return len(o.events) > 0 && replay >= o.events[0].replay && replay <= o.lastReplay
}

// appendEventMessage renders event n of a transaction as the Bayeux message of a channel.
func appendEventMessage(b []byte, t *logTx, n int, channel string) ([]byte, error) {
	e := t.Events[n]
	first := t.Changes[e.First]
	obj := objects[first.Obj]
	fields, err := decodeAssigns(obj, first.Fields)
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", e.Replay, err)
	}
	b = append(b, `{"data":{"schema":`...)
	b = appendString(b, schemaID(obj))
	b = append(b, `,"payload":{"ChangeEventHeader":`...)
	b = appendHeader(b, t, n, fields)
	b = appendBody(b, t, first, fields)
	b = append(b, `},"event":{"replayId":`...)
	b = strconv.AppendInt(b, e.Replay, 10)
	b = append(b, `}},"channel":`...)
	b = appendString(b, channel)
	return append(b, '}'), nil
}

func appendHeader(b []byte, t *logTx, n int, fields []assign) []byte {
	e := t.Events[n]
	first := t.Changes[e.First]
	obj := objects[first.Obj]
	b = append(b, `{"entityName":`...)
	b = appendString(b, obj.name)
	b = append(b, `,"recordIds":[`...)
	for i := range e.Count {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, t.Changes[e.First+i].ID)
	}
	b = append(b, `],"changeType":`...)
	b = appendString(b, string(first.Op))
	b = append(b, `,"changeOrigin":`...)
	b = appendString(b, t.Origin)
	b = append(b, `,"transactionKey":`...)
	b = appendString(b, t.Key)
	b = append(b, `,"sequenceNumber":`...)
	b = strconv.AppendInt(b, int64(n+1), 10)
	b = append(b, `,"commitTimestamp":`...)
	b = strconv.AppendInt(b, t.At/1000*1000, 10) // whole seconds, as every recorded event has them
	b = append(b, `,"commitUser":`...)
	b = appendString(b, t.User)
	b = append(b, `,"commitNumber":`...)
	b = strconv.AppendInt(b, t.Number, 10)
	b = append(b, `,"changedFields":[`...)
	if first.Op == opUpdate {
		start := len(b)
		if !first.Still {
			b = append(b, `"LastModifiedDate",`...)
		}
		if first.ByNew {
			b = append(b, `"LastModifiedById",`...)
		}
		for _, a := range fields {
			name := a.f.name
			if a.f.compound != "" {
				name = a.f.compound + "." + a.f.part
			}
			b = appendString(b, name)
			b = append(b, ',')
		}
		if len(b) > start {
			b = b[:len(b)-1]
		}
	}
	return append(b, `]}`...)
}

// appendBody writes the fields of an event: all that are set on a create or undelete, what changed on an update, none on a delete.
func appendBody(b []byte, t *logTx, c logChange, fields []assign) []byte {
	if c.Op == opDelete {
		return b
	}
	at := time.UnixMilli(t.At).UTC().Format(eventTime)
	if c.Op == opCreate {
		b = append(b, `,"CreatedDate":"`+at+`","CreatedById":"`+t.User+`"`...)
	}
	if !c.Still {
		b = append(b, `,"LastModifiedDate":"`+at+`"`...)
	}
	if c.ByNew || c.Op == opCreate {
		b = append(b, `,"LastModifiedById":"`+t.User+`"`...)
	}
	for i, a := range fields {
		if a.v == nil || a.f.compound != "" && slices.ContainsFunc(fields[:i], func(p assign) bool { return p.f.compound == a.f.compound && p.v != nil }) {
			continue // null, or already written with its compound
		}
		b = append(b, ',')
		if a.f.compound == "" {
			b = appendString(b, a.f.name)
			b = append(b, ':')
			b = appendEvent(b, a.f, a.v)
			continue
		}
		b = appendString(b, a.f.compound)
		b = append(b, ':', '{')
		for _, p := range fields[i:] {
			if p.f.compound == a.f.compound && p.v != nil {
				b = appendString(b, p.f.part)
				b = append(b, ':')
				b = appendEvent(b, p.f, p.v)
				b = append(b, ',')
			}
		}
		b[len(b)-1] = '}'
	}
	return b
}

// schemaID looks like the vendor's: 22 characters of base64url.
func schemaID(o *object) string {
	sum := sha256.Sum256([]byte(o.name + "ChangeEvent"))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// channelObject resolves a channel: the entity it carries, nil for all of them, and whether it exists in the org.
func (o *org) channelObject(channel string) (*object, bool) {
	name, ok := strings.CutPrefix(channel, "/data/")
	if !ok {
		return nil, false
	}
	if name == "ChangeEvents" {
		return nil, true
	}
	entity, ok := strings.CutSuffix(name, "ChangeEvent")
	obj := objects[entity]
	return obj, ok && obj != nil && o.cdc[obj]
}
