package hubspot

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Events on a contact that are no records: an object of the profile, a colon, and the
// name of the event's template or definition.
const (
	timeline    = "timeline"
	customEvent = "custom_event"
)

type customInput struct {
	EventName  string            `json:"eventName"`
	ObjectID   string            `json:"objectId"`
	OccurredAt string            `json:"occurredAt"`
	UUID       string            `json:"uuid"`
	Properties map[string]string `json:"properties"`
}

type timelineInput struct {
	Template  string            `json:"eventTemplateId"`
	ID        string            `json:"id"`
	ObjectID  string            `json:"objectId"`
	Timestamp string            `json:"timestamp"`
	Tokens    map[string]string `json:"tokens"`
}

// push sends events, each with an id of ours by which the CRM knows a repeat. They need
// another edition and other scopes than records do: that the portal refuses them is no
// trouble of the account's.
func (a *attempt) push(ctx context.Context, kind, name string) {
	if kind == timeline && len(a.At.Items) > 1 {
		a.Fail(&rest.Error{Class: schemas.ErrDuplicates, Message: "timeline events are sent one at a time: only so is a repeat told from a refusal"}, schemas.NotSent)
		return
	}
	var custom []customInput
	var one *timelineInput
	var places []int
	for i := range a.At.Items {
		it := &a.At.Items[i]
		if len(it.Associations) != 1 || !number.MatchString(it.Associations[0].ID) || it.Identity == "" {
			a.Refuse(i, schemas.ErrPermanent, "the item names no contact")
			continue
		}
		props := base.Map(it.Fields)
		at, on := props[profile.At], it.Associations[0].ID
		delete(props, profile.At)
		custom = append(custom, customInput{EventName: name, ObjectID: on, OccurredAt: at, UUID: uuidOf(a.Config.ID, it.Identity), Properties: props})
		one = &timelineInput{Template: name, ID: it.Identity, ObjectID: on, Timestamp: at, Tokens: props}
		places = append(places, i)
	}
	if len(places) == 0 {
		return
	}
	path, body := "/events/v3/send/batch", any(map[string]any{"inputs": custom})
	switch kind {
	case customEvent:
	case timeline:
		path, body = "/integrators/timeline/v3/events", one
	default:
		a.Invalid("events of the kind " + kind + " are not known here")
		return
	}
	res, outcome, err := a.Call(ctx, a.rest, a.LeaveBy, http.MethodPost, path, nil, body)
	e, answered := errors.AsType[*rest.Error](err)
	switch {
	case answered && e.Status == http.StatusConflict && kind == timeline: // it was taken before
	case err != nil:
		if answered && (e.Class == schemas.ErrForbidden || e.Class == schemas.ErrNotFound) {
			e.Class, outcome = schemas.ErrPermanent, schemas.Sent
		}
		a.Fail(err, outcome)
		return
	}
	if res != nil {
		a.Res.Status = int32(res.Status)
	}
	for _, i := range places {
		r := &a.Res.Items[i]
		r.Outcome, r.ID, r.Linked = schemas.Sent, a.At.Items[i].Identity, true
	}
}

// uuidOf is the same for the same event of a portal, and another for any other.
func uuidOf(portal, id string) string {
	h := sha256.Sum256([]byte(portal + "\x00" + id))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80 // version 8, made of what is known
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
