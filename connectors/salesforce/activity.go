package salesforce

import (
	"strconv"
	"time"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

const (
	subjectMax     = 255
	dispositionMax = 255
	descriptionMax = 32000
)

var description = profile.Body{Field: "Description", Max: descriptionMax}

// render writes a call as a completed Task. Completed also spares the locks on the
// parents that an open task with a date would take.
func render(c profile.Call) ([]schemas.Field, []schemas.Link) {
	callType := "Outbound"
	if c.Direction == schemas.Inbound {
		callType = "Inbound"
	}
	var f base.Fields
	f.Set("Subject", base.Subject(c, subjectMax))
	f.Set("Status", "Completed")
	f.Set("Priority", "Normal")
	f.Set("TaskSubtype", "Call")
	f.Set("CallType", callType)
	f.Set("ActivityDate", date(c.StartedAt, c.TimeZone))
	if c.Duration != nil { // 0 is a length, absent is unknown
		f.Set("CallDurationInSeconds", strconv.Itoa(int(*c.Duration)))
	}
	f.Any("OwnerId", c.OwnerID)
	about(&f, c.Person, c.AccountID, c.DealID)
	return f.Sorted(), nil
}

// date is the day on which something began where it was made (B15).
func date(at int64, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	return time.UnixMilli(at).In(zone).Format(time.DateOnly)
}

// about says who and what an activity is about. One on a Lead must have no WhatId; on a
// Contact the deal goes before the company (B14).
func about(f *base.Fields, person schemas.Link, account, deal string) {
	f.Any(who, person.ID)
	switch {
	case person.Object == lead:
	case deal != "":
		f.Set("WhatId", deal)
	default:
		f.Any("WhatId", account)
	}
}

// renderTask writes an event of the dialer as a completed Task.
func renderTask(h profile.Happening) ([]schemas.Field, []schemas.Link) {
	var f base.Fields
	f.Set("Subject", base.Cut(h.Title, subjectMax))
	f.Set("Status", "Completed")
	f.Set("Priority", "Normal")
	f.Set("ActivityDate", date(h.At, h.TimeZone))
	f.Any("OwnerId", h.OwnerID)
	about(&f, h.Person, h.AccountID, h.DealID)
	return f.Sorted(), nil
}

// meetingLength is that of a meeting whose end nobody said; the CRM wants one.
const meetingLength = 30 * time.Minute

// renderEvent writes a meeting as an Event. One that is called off stays, and says so:
// it no longer makes its owner busy.
func renderEvent(h profile.Happening) ([]schemas.Field, []schemas.Link) {
	title, showAs := h.Title, "Busy"
	if h.Cancelled {
		title, showAs = "Cancelled: "+title, "Free"
	}
	start, end := time.UnixMilli(h.At).UTC(), time.UnixMilli(h.EndsAt).UTC()
	if !end.After(start) {
		end = start.Add(meetingLength)
	}
	var f base.Fields
	f.Set("Subject", base.Cut(title, subjectMax))
	f.Set("StartDateTime", start.Format(instant))
	f.Set("EndDateTime", end.Format(instant))
	f.Set("ShowAs", showAs)
	f.Any("Location", base.Cut(h.Location, 255))
	f.Any("OwnerId", h.OwnerID)
	about(&f, h.Person, h.AccountID, h.DealID)
	return f.Sorted(), nil
}

const instant = "2006-01-02T15:04:05.000Z"

// dispositions are the dialer's in the words that a Task has them in; any other is
// written as it is.
var dispositions = []profile.DispositionDefault{
	outcome("Connected", "Connected"), outcome("No Answer", "No Answer"), outcome("Voicemail", "Left Voicemail"),
	outcome("Meeting Booked", "Meeting Booked"), outcome("Not Interested", "Not Interested"), outcome("DNC", "Do Not Call"),
}

func outcome(label, value string) profile.DispositionDefault {
	return profile.DispositionDefault{Label: label, Fields: []schemas.Field{schemas.Text("CallDisposition", value),
		schemas.Text("Status", "Completed"), schemas.Text("TaskSubtype", "Call")}}
}
