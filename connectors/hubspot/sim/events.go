package sim

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/url"
	"slices"
	"strings"
)

// event is one webhook event, as it is delivered and logged. Its id counts within the portal; on the wire there is another, see
// wireID.
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

	// Of merge.
	PrimaryObjectID int64   `json:"primaryObjectId,omitempty"`
	MergedObjectIDs []int64 `json:"mergedObjectIds,omitempty"`
	NewObjectID     int64   `json:"newObjectId,omitempty"`
	PropertiesMoved int     `json:"numberOfPropertiesMoved,omitempty"`

	due int64 // ms of real time: not to be delivered before
}

// subscription is one that the app has.
type subscription struct {
	id       int64
	ot       *objectType
	kind     string // creation, deletion, privacyDeletion, restore, merge, propertyChange, associationChange
	property string
	generic  bool
}

var kinds = map[string]bool{"creation": true, "deletion": true, "privacyDeletion": true, "restore": true, "merge": true, "propertyChange": true, "associationChange": true}

// parseSubscription reads "contact.propertyChange:phone".
func parseSubscription(s string) (subscription, error) {
	name, prop, _ := strings.Cut(s, ":")
	object, kind, ok := strings.Cut(name, ".")
	ot := typeNamed(object)
	switch {
	case !ok || ot == nil || !kinds[kind], kind == "privacyDeletion" && object != "contact":
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

// eventsOf returns the events that a change raises. Those of a creation stand in the middle of those of the initial values, as the
// vendor has them: a client that waits for the creation first waits in vain.
func (p *portal) eventsOf(t *tx, c *change) []*event {
	app := p.cfg.App
	if app == nil || app.TargetURL == "" {
		return nil
	}
	switch c.Op {
	case opLink, opUnlink:
		return p.linkEvents(t, c)
	case opMerge:
		return p.mergeEvents(t, c)
	}
	ot := typeNamed(c.Object)
	var out []*event
	raise := func(s subscription, flag, name, value string) {
		e := p.raise(t, s, c.ID)
		e.ChangeFlag = flag
		if name != "" {
			e.PropertyName, e.PropertyValue = name, &value
		}
		out = append(out, e)
	}
	for _, s := range p.subs {
		if s.ot != ot {
			continue
		}
		switch {
		case s.kind == "creation" && c.Op == opCreate:
			raise(s, "CREATED", "", "")
		case s.kind == "deletion" && (c.Op == opArchive || c.Op == opErase): // of a loser of a merge, too
			raise(s, "DELETED", "", "")
		case s.kind == "privacyDeletion" && c.Op == opErase:
			raise(s, "", "", "")
		case s.kind == "restore" && c.Op == opRestore:
			raise(s, "", "", "")
		case s.kind == "propertyChange" && (c.Op == opCreate || c.Op == opUpdate):
			if v, ok := c.Props[s.property]; ok {
				raise(s, "", s.property, v)
			}
		}
	}
	created := func(e *event) bool { return e.ChangeFlag == "CREATED" }
	if i := slices.IndexFunc(out, created); i >= 0 {
		e := out[i]
		out = slices.Delete(out, i, i+1)
		out = slices.Insert(out, (len(out)+1)/2, e)
	}
	return out
}

// wireID is an event's id as clients see it. The vendor's ids say nothing of the order and are not promised to be unique, so these
// are scattered over 31 bits and may collide; a delivery that is made again bears the same one.
func (e *event) wireID() int64 {
	h := fnv.New64a()
	_ = binary.Write(h, binary.BigEndian, [2]int64{e.PortalID, e.EventID})
	return int64(h.Sum64()>>33) | 1
}

// linkEvents are the events of an association that came or went, seen from one side: a change is logged for each.
func (p *portal) linkEvents(t *tx, c *change) []*event {
	from, to := typeNamed(c.Object), typeNamed(c.To)
	removed := c.Op == opUnlink
	var out []*event
	for _, s := range p.subs {
		if s.kind != "associationChange" || s.ot != from {
			continue
		}
		e := p.raise(t, s, 0)
		e.AssociationType, e.FromObjectID, e.ToObjectID, e.AssociationRemoved = strings.ToUpper(from.singular+"_TO_"+to.singular), c.ID, c.ToID, &removed
		out = append(out, e)
	}
	return out
}

// mergeEvents are those of a merge: one for the kind. Its losers raise their deletions by their own changes, what moved raises none.
func (p *portal) mergeEvents(t *tx, c *change) []*event {
	var out []*event
	for _, s := range p.subs {
		if s.kind == "merge" && s.ot == typeNamed(c.Object) {
			e := p.raise(t, s, c.Merged[0])
			e.PrimaryObjectID, e.MergedObjectIDs, e.NewObjectID, e.PropertiesMoved = c.Merged[0], c.Merged[1:], c.ID, len(c.Props)
			out = append(out, e)
		}
	}
	return out
}

// raise makes an event of a subscription.
func (p *portal) raise(t *tx, s subscription, id int64) *event {
	p.lastEvent++
	e := &event{EventID: p.lastEvent, SubscriptionID: s.id, PortalID: p.id, AppID: p.cfg.App.ID, OccurredAt: t.at, SubscriptionType: s.ot.singular + "." + s.kind,
		ObjectID: id, ChangeSource: t.by.kind, SourceID: t.by.id}
	if s.generic {
		e.SubscriptionType, e.ObjectTypeID = "object."+s.kind, s.ot.id
	}
	return e
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
