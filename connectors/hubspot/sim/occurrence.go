package sim

// Serves POST /events/v3/send, /events/v3/send/batch (custom events) and /integrators/timeline/v3/events (timeline events).
//
// Deviations: every event template exists, and every custom event that bears the portal's prefix is defined, with any property.
// The batch of timeline events is not served. What the vendor does with a timeline event whose id it has is told in two ways; a
// portal says which it follows (PortalConfig.TimelineConflict).

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	occurrencesMost = 500 // custom events in one request
	occurrenceValue = 256 // characters of one value
	uuidKnown       = 365 * 24 * time.Hour
)

// Kinds of an occurrence.
const (
	customKind   = "custom"
	timelineKind = "timeline"
)

// occurrence is an event on a contact that is no record.
type occurrence struct {
	Kind   string            `json:"kind"`
	Name   string            `json:"name"`         // of its definition; of a timeline event the id of its template
	ID     string            `json:"id,omitempty"` // the sender's uuid or id
	Object int64             `json:"objectId"`
	At     string            `json:"occurredAt,omitempty"`
	Props  map[string]string `json:"properties,omitempty"`
	Taken  int64             `json:"takenAt"` // ms
}

type customEvent struct {
	EventName  string          `json:"eventName"`
	ObjectID   text            `json:"objectId"`
	Email      string          `json:"email"`
	OccurredAt string          `json:"occurredAt"`
	UUID       string          `json:"uuid"`
	Properties map[string]text `json:"properties"`
}

func (c *call) sendOne() (int, any, error) {
	var in customEvent
	if err := decodeBody(c.body, &in); err != nil {
		return 0, nil, err
	}
	return c.send(in)
}

func (c *call) sendBatch() (int, any, error) {
	var in struct {
		Inputs []customEvent `json:"inputs"`
	}
	if err := decodeBody(c.body, &in); err != nil {
		return 0, nil, err
	}
	if len(in.Inputs) == 0 || len(in.Inputs) > occurrencesMost {
		return 0, nil, badRequest("inputs must hold between 1 and %d events", occurrencesMost)
	}
	return c.send(in.Inputs...)
}

// send takes custom events, all or none. One whose uuid was taken within a year is dropped without a word.
func (c *call) send(in ...customEvent) (int, any, error) {
	if err := c.need("analytics.behavioral_events.send"); err != nil {
		return 0, nil, err
	}
	var taken []*occurrence
	for i := range in {
		e := &in[i]
		prefix := "pe" + strconv.FormatInt(c.p.id, 10) + "_"
		if !strings.HasPrefix(e.EventName, prefix) || e.EventName == prefix {
			return 0, nil, badRequest("Event type with name %s not found", e.EventName)
		}
		if e.OccurredAt != "" {
			if _, err := time.Parse(time.RFC3339Nano, e.OccurredAt); err != nil {
				return 0, nil, badRequest("occurredAt is no date and time: %s", e.OccurredAt)
			}
		}
		o := &occurrence{Kind: customKind, Name: e.EventName, ID: e.UUID, At: e.OccurredAt, Props: map[string]string{}}
		for name, v := range e.Properties {
			if utf8.RuneCountInString(string(v)) > occurrenceValue {
				return 0, nil, badRequest("the value of %s has more than %d characters", name, occurrenceValue)
			}
			o.Props[name] = string(v)
		}
		var err error
		if o.Object, err = c.onContact(string(e.ObjectID), e.Email, false); err != nil {
			return 0, nil, err
		}
		taken = append(taken, o)
	}
	for _, o := range taken {
		if err := c.p.occur(o, c.now); err != nil {
			return 0, nil, err
		}
	}
	return http.StatusNoContent, nil, nil
}

func (c *call) sendTimeline() (int, any, error) {
	if err := c.need("timeline"); err != nil {
		return 0, nil, err
	}
	var in struct {
		Template  text            `json:"eventTemplateId"`
		ID        string          `json:"id"`
		ObjectID  text            `json:"objectId"`
		Email     string          `json:"email"`
		Timestamp string          `json:"timestamp"`
		Tokens    map[string]text `json:"tokens"`
	}
	if err := decodeBody(c.body, &in); err != nil {
		return 0, nil, err
	}
	if _, err := strconv.ParseInt(string(in.Template), 10, 64); err != nil {
		return 0, nil, badRequest("No event template with id '%s' was found", in.Template)
	}
	o := &occurrence{Kind: timelineKind, Name: string(in.Template), ID: in.ID, At: in.Timestamp, Props: map[string]string{}}
	for name, v := range in.Tokens {
		o.Props[name] = string(v)
	}
	if o.ID == "" {
		o.ID = newUUID(c.now)
	}
	if c.p.cfg.TimelineConflict && c.p.occurred.known(o, c.now.UnixMilli()) != nil {
		return 0, nil, newError(http.StatusConflict, "CONFLICT", "an event with the id %s exists", o.ID)
	}
	var err error
	if o.Object, err = c.onContact(string(in.ObjectID), in.Email, true); err != nil {
		return 0, nil, err
	}
	if err := c.p.occur(o, c.now); err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, map[string]any{"id": o.ID, "eventTemplateId": o.Name, "objectType": "contacts", "objectId": strconv.FormatInt(o.Object, 10),
		"tokens": o.Props, "timestamp": o.At, "createdAt": instant(c.now.UnixMilli())}, nil
}

// onContact finds the contact of an event by id or e-mail. A timeline event makes the contact of an e-mail that nobody has.
func (c *call) onContact(id, email string, make bool) (int64, error) {
	tab := c.p.tables[typeNamed("contacts")]
	if id == "" && email == "" {
		return 0, badRequest("one of objectId and email must say which contact it is about")
	}
	by := ""
	if id == "" {
		id, by = strings.ToLower(email), "email"
	}
	r, err := tab.find(id, by)
	switch {
	case err == nil:
		return r.id, nil
	case by == "" || !make:
		return 0, err
	}
	t := c.p.begin(c.by())
	r, err = t.create(tab, map[string]text{"email": text(email)})
	if err := t.end(err); err != nil {
		return 0, err
	}
	return r.id, nil
}

// occurrences are the events of a portal in the order in which they were taken.
type occurrences struct {
	list []*occurrence
	byID map[string]*occurrence // kind and id
}

// known is the event of the same kind and id that still counts; nil if there is none.
func (os *occurrences) known(o *occurrence, now int64) *occurrence {
	old := os.byID[o.Kind+o.ID]
	if o.ID == "" || old == nil || o.Kind == customKind && now-old.Taken >= uuidKnown.Milliseconds() {
		return nil
	}
	return old
}

// keep takes an event in: of two timeline ones with one id the last counts.
func (os *occurrences) keep(o *occurrence) {
	if old := os.known(o, o.Taken); old != nil && o.Kind == timelineKind {
		*old = *o
		return
	}
	if os.byID == nil {
		os.byID = make(map[string]*occurrence)
	}
	os.byID[o.Kind+o.ID] = o
	os.list = append(os.list, o)
}

// occur takes an event; of two custom ones with one uuid the first counts.
func (p *portal) occur(o *occurrence, now time.Time) error {
	o.Taken = now.UnixMilli()
	if o.Kind == customKind && p.occurred.known(o, o.Taken) != nil {
		return nil
	}
	if _, err := p.log.Append(logLine{Occurrence: o}); err != nil {
		return err
	}
	p.occurred.keep(o)
	return nil
}

// ownOccurrences answers a portal's events in the order in which they were taken.
func (s *Server) ownOccurrences(r *http.Request) (any, error) {
	p, err := s.portalNamed(r.URL.Query().Get("portal"))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]occurrence, 0, len(p.occurred.list))
	for _, o := range p.occurred.list {
		out = append(out, *o)
	}
	return out, nil
}
