package sim

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// event is one webhook event on the wire.
type event struct {
	EventID          int64  `json:"eventId"`
	SubscriptionID   int64  `json:"subscriptionId"`
	PortalID         int64  `json:"portalId"`
	AppID            int64  `json:"appId"`
	OccurredAt       int64  `json:"occurredAt"`
	SubscriptionType string `json:"subscriptionType"`
	AttemptNumber    int    `json:"attemptNumber"`
	ObjectID         int64  `json:"objectId,omitempty"`
	ObjectTypeID     string `json:"objectTypeId,omitempty"`
	ChangeFlag       string `json:"changeFlag,omitempty"`
	ChangeSource     string `json:"changeSource"`
	SourceID         string `json:"sourceId,omitempty"`

	PropertyName  string  `json:"propertyName,omitempty"`
	PropertyValue *string `json:"propertyValue,omitempty"`
	IsSensitive   *bool   `json:"isSensitive,omitempty"`

	*mergeEvent
	*linkEvent

	due int64 // ms, not before; 0 = at once
}

type mergeEvent struct {
	PrimaryObjectID         int64   `json:"primaryObjectId"`
	MergedObjectIDs         []int64 `json:"mergedObjectIds"`
	NewObjectID             int64   `json:"newObjectId"`
	NumberOfPropertiesMoved int     `json:"numberOfPropertiesMoved"`
}

type linkEvent struct {
	AssociationType      string `json:"associationType"`
	AssociationCategory  string `json:"associationCategory,omitempty"`
	AssociationTypeID    uint16 `json:"associationTypeId,omitempty"`
	FromObjectID         int64  `json:"fromObjectId"`
	FromObjectTypeID     string `json:"fromObjectTypeId,omitempty"`
	ToObjectID           int64  `json:"toObjectId"`
	ToObjectTypeID       string `json:"toObjectTypeId,omitempty"`
	AssociationRemoved   bool   `json:"associationRemoved"`
	IsPrimaryAssociation bool   `json:"isPrimaryAssociation"`
}

// subscription is what one kind of event is delivered for.
type subscription struct {
	id      int64
	spec    string
	object  *objectType
	generic bool
	kind    string // "creation"
	prop    string // of a propertyChange
}

var subscriptionKinds = []string{"creation", "deletion", "merge", "restore", "privacyDeletion", "propertyChange", "associationChange"}

func parseSubscription(spec string) (subscription, error) {
	object, kind, ok := strings.Cut(spec, ".")
	typ := objectTypeOf(object)
	if !ok || typ == nil {
		return subscription{}, fmt.Errorf("subscription %q: write it like contact.creation, contact.propertyChange:phone or call.creation", spec)
	}
	s := subscription{spec: spec, object: typ, generic: !typ.classic || object == typ.id}
	s.kind, s.prop, _ = strings.Cut(kind, ":")
	if !slices.Contains(subscriptionKinds, s.kind) {
		return subscription{}, fmt.Errorf("subscription %q: unknown kind %q, have %s", spec, s.kind, strings.Join(subscriptionKinds, ", "))
	}
	if (s.kind == "propertyChange") != (s.prop != "") {
		return subscription{}, fmt.Errorf("subscription %q: propertyChange, and only it, names a property", spec)
	}
	if s.kind == "privacyDeletion" && (typ != contactType || s.generic) {
		return subscription{}, fmt.Errorf("subscription %q: only contact.privacyDeletion exists", spec)
	}
	return s, nil
}

func validateTarget(target string) error {
	if target == "" {
		return nil
	}
	u, err := url.Parse(target)
	if err != nil {
		return errors.New("target url does not parse")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("target url is not an absolute http or https address")
	}
	return nil
}

// subscribe replaces the app's settings. A subscription that stays keeps its id.
func (p *portal) subscribe(app *AppConfig) {
	p.cfg.App = app
	if app == nil {
		p.hooks.subs = nil
		return
	}
	var subs []subscription
	for _, spec := range app.Subscriptions {
		s, err := parseSubscription(spec)
		if err != nil {
			continue // checked before it was committed
		}
		if i := slices.IndexFunc(p.hooks.subs, func(have subscription) bool { return have.spec == spec }); i >= 0 {
			s.id = p.hooks.subs[i].id
		} else {
			p.hooks.lastSub++
			s.id = p.hooks.lastSub
		}
		subs = append(subs, s)
	}
	p.hooks.subs = subs
}

// raise makes one event for every subscription of the kind; fill completes it.
func (p *portal) raise(t *table, e *entry, kind, prop string, fill func(*event, bool)) {
	app := p.cfg.App
	if app == nil || app.TargetURL == "" {
		return
	}
	for _, s := range p.hooks.subs {
		if s.object != t.typ || s.kind != kind || s.prop != prop {
			continue
		}
		p.hooks.lastEvent++
		ev := &event{
			EventID: p.hooks.lastEvent, SubscriptionID: s.id, PortalID: p.id, AppID: app.ID, OccurredAt: e.Time,
			SubscriptionType: t.typ.singular + "." + kind, ChangeSource: e.Source.Kind, SourceID: e.Source.ID,
		}
		if s.generic {
			ev.SubscriptionType, ev.ObjectTypeID = "object."+kind, t.typ.id
		}
		fill(ev, s.generic)
		p.hooks.add(ev)
	}
}

func (p *portal) raiseRecord(t *table, r *record, e *entry, kind, flag string) {
	p.raise(t, e, kind, "", func(ev *event, _ bool) { ev.ObjectID, ev.ChangeFlag = r.id, flag })
}

// raiseCreate tells of a new record: a change of every initial value, with the creation in their midst.
func (p *portal) raiseCreate(t *table, r *record, e *entry, values map[string]string) {
	names := sortedNames(values)
	for i, name := range names {
		if i == len(names)/2 {
			p.raiseRecord(t, r, e, "creation", "CREATED")
		}
		if values[name] != "" {
			p.raiseProperty(t, r, e, name, values[name])
		}
	}
	if len(names) == 0 {
		p.raiseRecord(t, r, e, "creation", "CREATED")
	}
}

func (p *portal) raiseProperty(t *table, r *record, e *entry, name, value string) {
	if t.props[name].Type == "date" && value != "" { // dates travel as milliseconds, as datetimes do
		if at, err := time.Parse(time.DateOnly, value); err == nil {
			value = strconv.FormatInt(at.UnixMilli(), 10)
		}
	}
	p.raise(t, e, "propertyChange", name, func(ev *event, generic bool) {
		ev.ObjectID, ev.PropertyName, ev.PropertyValue = r.id, name, &value
		if generic {
			ev.IsSensitive = new(bool)
		}
	})
}

// raiseMerge tells of a merge, and of the end of both old ids. Moved values raise nothing.
func (p *portal) raiseMerge(t *table, r *record, e *entry, from []int64) {
	p.raise(t, e, "merge", "", func(ev *event, _ bool) {
		ev.ObjectID = r.id
		ev.mergeEvent = &mergeEvent{PrimaryObjectID: from[0], MergedObjectIDs: from[1:], NewObjectID: r.id, NumberOfPropertiesMoved: len(r.props)}
	})
	for _, id := range from {
		p.raise(t, e, "deletion", "", func(ev *event, _ bool) { ev.ObjectID, ev.ChangeFlag = id, "DELETED" })
	}
}

// raiseLink tells both sides of an association; a primary one also tells of the unlabelled one.
func (p *portal) raiseLink(t *table, r *record, e *entry, a *assocType, to int64, removed bool) {
	sides := []struct {
		a        *assocType
		from, to int64
	}{{a, r.id, to}, {assocTypes[a.reverse], to, r.id}}
	if a.primary && !removed {
		plain := defaultAssoc(a.from, a.to)
		sides = append(sides, sides[0], sides[1])
		sides[2].a, sides[3].a = plain, assocTypes[plain.reverse]
	}
	for _, s := range sides {
		p.raise(p.tables[s.a.from], e, "associationChange", "", func(ev *event, generic bool) {
			ev.linkEvent = &linkEvent{
				AssociationType: s.a.from.upper() + "_TO_" + s.a.to.upper(),
				FromObjectID:    s.from, ToObjectID: s.to, AssociationRemoved: removed, IsPrimaryAssociation: s.a.primary,
			}
			if generic {
				ev.AssociationCategory, ev.AssociationTypeID = "HUBSPOT_DEFINED", s.a.id
				ev.FromObjectTypeID, ev.ToObjectTypeID = s.a.from.id, s.a.to.id
			}
		})
	}
}
