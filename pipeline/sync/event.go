package sync

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// event acts on what a dialer says beside calls and contacts.
func (w *world) event(ev *schemas.DialerEvent) error {
	switch ev.Type {
	case "dnc_changed":
		return w.dnc(ev)
	case "call_ended", "call_updated", "disposition_changed", "score_ready":
		return w.callEdited(ev)
	}
	if w.happens(ev.Type) {
		return w.happening(ev)
	}
	return pipeline.Rejectf(schemas.ReasonUnsupported, "events of type %q are not acted on by this version", ev.Type)
}

// callEdit is one field of a call as an event edited it.
type callEdit struct {
	Name     string  `avro:"name"`
	Value    *string `avro:"value"`
	Revision int64   `avro:"revision"` // of the event, else the one that stood when it came
	At       int64   `avro:"at"`       // ms
}

// callEdited applies a late edit of a call (B12): the fields that editable names; null
// clears. Others mean nothing to an activity. With a field "revision" an edit counts from that revision
// on; without, it edits what is there, and the next whole revision replaces it. An
// edit of a call that has not come yet is held with it.
func (w *world) callEdited(ev *schemas.DialerEvent) error {
	if ev.CallID == nil || *ev.CallID == "" {
		return pipeline.Rejectf(schemas.ReasonInvalid, "%s without call_id", ev.Type)
	}
	id := *ev.CallID
	revision := int64(0)
	if v, ok := find(ev.Fields, "revision"); ok {
		var err error
		if blank(v) {
			return pipeline.Rejectf(schemas.ReasonInvalid, "%s of call %s: an empty revision", ev.Type, id)
		}
		if revision, err = strconv.ParseInt(*v, 10, 64); err != nil || revision < 1 {
			return pipeline.Rejectf(schemas.ReasonInvalid, "%s of call %s: the revision is no number from 1", ev.Type, id)
		}
	}
	c, ok, err := get(w, calls, kindCall, id)
	if err != nil {
		return err
	}
	if !ok {
		c = &call{Event: schemas.CallEvent{CallID: id}}
		w.timer(w.tx.Now+callWindow, timerForget, id)
	}
	if c.Dropped == erasedWhy {
		_, err := w.tx.NextSequence("duplicate calls") // counted (P5)
		return err
	}
	at, known, news := min(ev.At, w.tx.Now), 0, 0
	for _, f := range ev.Fields {
		if !editable(f.Name) {
			continue
		}
		known++
		e := callEdit{Name: f.Name, Value: f.Value, Revision: cmp.Or(revision, max(c.Base, 1)), At: at}
		if err := e.apply(&schemas.CallEvent{}, w.tx.Now); err != nil {
			return err
		}
		i, found := slices.BinarySearchFunc(c.Edits, f.Name, func(e callEdit, name string) int { return cmp.Compare(e.Name, name) })
		switch {
		case revision > 0 && revision <= c.Base, found && revision > 0 && revision <= c.Edits[i].Revision, found && revision == 0 && (at < c.Edits[i].At || at == c.Edits[i].At && equal(e.Value, c.Edits[i].Value)):
			continue // stale, or came before
		case found:
			c.Edits[i] = e
		default:
			c.Edits = slices.Insert(c.Edits, i, e)
		}
		news++
		if err := e.apply(&c.Event, w.tx.Now); err != nil {
			return err
		}
		c.Event.Revision = max(c.Event.Revision, revision)
	}
	switch {
	case known == 0:
		return pipeline.Rejectf(schemas.ReasonInvalid, "%s of call %s has no field that a call has: disposition, notes, score, recording_id, recording_url, duration_seconds, ended_at, agent_email, agent_name, summary, key_points, next_steps, sentiment, talk_ratio_agent", ev.Type, id)
	case news == 0:
		_, err := w.tx.NextSequence("duplicate calls") // counted (P5)
		return err
	}
	c.Ref = w.ref
	return w.decide(c)
}

// rebase takes over a whole revision; edits that are newer stay, but for one that the
// call contradicts (an end before its start).
func (c *call) rebase(ev *schemas.CallEvent, now int64) {
	c.Event, c.Base = *ev, ev.Revision
	c.Edits = slices.DeleteFunc(c.Edits, func(e callEdit) bool { return e.Revision < c.Base || e.apply(&c.Event, now) != nil })
	for i := range c.Edits {
		c.Event.Revision = max(c.Event.Revision, c.Edits[i].Revision)
	}
}

func editable(name string) bool {
	switch name {
	case "disposition", "notes", "score", "recording_id", "recording_url", "duration_seconds", "ended_at", "agent_email", "agent_name",
		"summary", "key_points", "next_steps", "sentiment", "talk_ratio_agent":
		return true
	}
	return false
}

// apply puts an edit into a call; it rejects what is no such value.
func (e *callEdit) apply(ev *schemas.CallEvent, now int64) error {
	no := func(what string) error {
		return pipeline.Rejectf(schemas.ReasonInvalid, "the edited %s is %s", e.Name, what)
	}
	switch e.Name {
	case "disposition":
		ev.Disposition = e.Value
	case "notes":
		ev.Notes = e.Value
	case "recording_id":
		ev.RecordingID = e.Value
	case "recording_url":
		ev.RecordingURL = e.Value
	case "summary":
		ev.Summary = e.Value
	case "sentiment":
		ev.Sentiment = e.Value
	case "key_points":
		ev.KeyPoints = linesOf(e.Value)
	case "next_steps":
		ev.NextSteps = linesOf(e.Value)
	case "agent_email":
		ev.AgentEmail = textOf(e.Value)
	case "agent_name":
		ev.AgentName = textOf(e.Value)
	case "score", "talk_ratio_agent":
		var n *float64
		if !blank(e.Value) {
			v, err := strconv.ParseFloat(*e.Value, 64)
			if err != nil || !(v >= 0 && v <= 100) {
				return no("no number from 0 to 100")
			}
			n = &v
		}
		if e.Name == "score" {
			ev.Score = n
		} else {
			ev.TalkRatioAgent = n
		}
	case "duration_seconds":
		ev.DurationSeconds = nil
		if !blank(e.Value) {
			v, err := strconv.ParseInt(*e.Value, 10, 32)
			if err != nil || v < 0 {
				return no("no number of seconds")
			}
			d := int32(v)
			ev.DurationSeconds = &d
		}
	case "ended_at":
		ev.EndedAt = nil
		if !blank(e.Value) {
			v, err := strconv.ParseInt(*e.Value, 10, 64)
			if err != nil || v < 0 || v > now+aheadMost {
				return no("no time in milliseconds since 1970")
			}
			if v < ev.StartedAt {
				return pipeline.Rejectf(schemas.ReasonOrderImpossible, "call %s would end before it starts", ev.CallID)
			}
			ev.EndedAt = &v
		}
	}
	return nil
}

// linesOf is a list as a text has it: an item a line.
func linesOf(v *string) (items []string) {
	for line := range strings.Lines(textOf(v)) {
		if line = strings.TrimSpace(line); line != "" {
			items = append(items, line)
		}
	}
	return items
}
