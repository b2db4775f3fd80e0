package sim

import (
	"fmt"
	"net/url"
	"strings"
)

// event is one webhook event, as it is delivered and logged.
type event struct {
	EventID          int64   `json:"eventId"`
	SubscriptionID   int64   `json:"subscriptionId"`
	PortalID         int64   `json:"portalId"`
	AppID            int64   `json:"appId"`
	OccurredAt       int64   `json:"occurredAt"`
	SubscriptionType string  `json:"subscriptionType"`
	AttemptNumber    int     `json:"attemptNumber"`
	ObjectID         int64   `json:"objectId,omitempty"` // absent from associationChange
	ObjectTypeID     string  `json:"objectTypeId,omitempty"`
	PropertyName     string  `json:"propertyName,omitempty"`
	PropertyValue    *string `json:"propertyValue,omitempty"` // "" when it was cleared
	ChangeFlag       string  `json:"changeFlag,omitempty"`
	ChangeSource     string  `json:"changeSource"`
	SourceID         string  `json:"sourceId,omitempty"`

	// Of associationChange.
	AssociationType    string `json:"associationType,omitempty"`
	FromObjectID       int64  `json:"fromObjectId,omitempty"`
	ToObjectID         int64  `json:"toObjectId,omitempty"`
	AssociationRemoved *bool  `json:"associationRemoved,omitempty"`

	due int64 // ms of real time: not to be delivered before
}

// subscription is one that the app has.
type subscription struct {
	id       int64
	ot       *objectType
	kind     string // creation, deletion, restore, propertyChange, associationChange
	property string
	generic  bool
}

var kinds = map[string]bool{"creation": true, "deletion": true, "restore": true, "propertyChange": true, "associationChange": true}

// parseSubscription reads "contact.propertyChange:phone".
func parseSubscription(s string) (subscription, error) {
	name, prop, _ := strings.Cut(s, ":")
	object, kind, ok := strings.Cut(name, ".")
	ot := typeNamed(object)
	switch {
	case !ok || ot == nil || !kinds[kind]:
		return subscription{}, fmt.Errorf("unknown subscription %q", s)
	case kind == "propertyChange" && prop == "":
		return subscription{}, fmt.Errorf("subscription %q names no property", s)
	case kind == "propertyChange" && prop == ot.modified:
		return subscription{}, fmt.Errorf("subscription %q: the vendor raises no events for it", s)
	}
	return subscription{ot: ot, kind: kind, property: prop, generic: object == ot.id || ot.name == "calls"}, nil
}

func validateTarget(target string) error {
	if target == "" {
		return nil
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("webhook target %q is no URL", target)
	}
	return nil
}

// subscribe takes over the app's subscriptions.
func (p *portal) subscribe() {
	p.subs = nil
	if p.cfg.App == nil {
		return
	}
	for i, s := range p.cfg.App.Subscriptions {
		if sub, err := parseSubscription(s); err == nil {
			sub.id = 1000 + int64(i)
			p.subs = append(p.subs, sub)
		}
	}
}

// eventsOf returns the events that a change raises: those of the properties around that of the creation, as the vendor does.
func (p *portal) eventsOf(t *tx, c *change) []*event {
	app := p.cfg.App
	if app == nil || app.TargetURL == "" {
		return nil
	}
	ot := typeNamed(c.Object)
	var out []*event
	raise := func(s subscription, flag, name, value string) {
		p.lastEvent++
		e := &event{EventID: p.lastEvent, SubscriptionID: s.id, PortalID: p.id, AppID: app.ID, OccurredAt: t.at, SubscriptionType: ot.singular + "." + s.kind,
			ObjectID: c.ID, PropertyName: name, ChangeFlag: flag, ChangeSource: t.by.kind, SourceID: t.by.id}
		if name != "" {
			e.PropertyValue = &value
		}
		if s.generic {
			e.SubscriptionType, e.ObjectTypeID = "object."+s.kind, ot.id
		}
		out = append(out, e)
	}
	if c.Op == opLink || c.Op == opUnlink {
		return p.linkEvents(t, c)
	}
	for _, s := range p.subs {
		if s.ot != ot {
			continue
		}
		switch {
		case s.kind == "creation" && c.Op == opCreate:
			raise(s, "CREATED", "", "")
		case s.kind == "deletion" && c.Op == opArchive:
			raise(s, "DELETED", "", "")
		case s.kind == "restore" && c.Op == opRestore:
			raise(s, "", "", "")
		case s.kind == "propertyChange" && (c.Op == opCreate || c.Op == opUpdate):
			if v, ok := c.Props[s.property]; ok {
				raise(s, "", s.property, v)
			}
		}
	}
	return out
}

// linkEvents are the events of an association that came or went: one for each side.
func (p *portal) linkEvents(t *tx, c *change) []*event {
	from, to := typeNamed(c.Object), typeNamed(c.To)
	removed := c.Op == opUnlink
	var out []*event
	for _, s := range p.subs {
		if s.kind != "associationChange" {
			continue
		}
		side := func(a, b *objectType, aID, bID int64) {
			p.lastEvent++
			e := &event{EventID: p.lastEvent, SubscriptionID: s.id, PortalID: p.id, AppID: p.cfg.App.ID, OccurredAt: t.at,
				SubscriptionType: a.singular + ".associationChange", ChangeSource: t.by.kind, SourceID: t.by.id,
				AssociationType: strings.ToUpper(a.singular + "_TO_" + b.singular), FromObjectID: aID, ToObjectID: bID, AssociationRemoved: &removed}
			if s.generic {
				e.SubscriptionType, e.ObjectTypeID = "object.associationChange", a.id
			}
			out = append(out, e)
		}
		if s.ot == from {
			side(from, to, c.ID, c.ToID)
		}
		if s.ot == to {
			side(to, from, c.ToID, c.ID)
		}
	}
	return out
}

// enqueue owes events to the target.
func (p *portal) enqueue(events []*event) {
	if len(events) == 0 {
		return
	}
	p.pending = append(p.pending, events...)
	p.nudge()
}

func (p *portal) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// delivered takes over what became of some events.
func (p *portal) delivered(l *logWebhook) {
	gone := make(map[int64]bool, len(l.Events))
	for _, id := range l.Events {
		gone[id] = true
	}
	var left []*event
	for _, e := range p.pending {
		switch {
		case !gone[e.EventID]:
			left = append(left, e)
		case l.Attempt > 0:
			e.AttemptNumber = l.Attempt
			left = append(left, e)
		}
	}
	p.pending = left
}
