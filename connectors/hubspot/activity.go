package hubspot

import (
	"strconv"
	"time"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

const (
	titleMax = 255
	bodyMax  = 65000 // characters of HTML; the property takes 65,536
)

// dispositions are the ids of the outcomes that every portal has. Those of its own are
// read from the portal.
var dispositions = []schemas.Field{
	schemas.Text("Busy", "9d9162e7-6cf3-4944-bf63-4dff82258764"),
	schemas.Text("Connected", "f240bbac-87c9-4f6e-bf70-924b57d47db7"),
	schemas.Text("Left live message", "a4c4c377-d246-4b32-a13b-75a56a4cd0ff"),
	schemas.Text("Left voicemail", "b2cf5968-551e-4856-9783-52b3da59a7d0"),
	schemas.Text("No answer", "73a0d17f-1163-4015-bdd5-ec830791da20"),
	schemas.Text("Wrong number", "17b47fee-58de-441e-a44c-c6300d46f273"),
}

// outcomes are the dialer's dispositions by the labels of the portal's.
var outcomes = []profile.DispositionDefault{
	outcome("Connected", "connected"), outcome("No Answer", "no-answer"), outcome("Voicemail", "left-voicemail"),
	outcome("Meeting Booked", "connected"), outcome("Not Interested", "connected"), outcome("DNC", "connected"),
}

func outcome(label, value string) profile.DispositionDefault {
	return profile.DispositionDefault{Label: label, Fields: []schemas.Field{schemas.Text("hs_call_disposition", value), schemas.Text("hs_call_status", "COMPLETED")}}
}

// render writes a call as a completed call engagement on its person, the person's
// company and the deal.
func render(c profile.Call) ([]schemas.Field, []schemas.Link) {
	direction := "OUTBOUND"
	if c.Direction == schemas.Inbound {
		direction = "INBOUND"
	}
	status := "COMPLETED"
	if c.Kind == "missed" { // the CRM has no status of that name
		status = "NO_ANSWER"
	}
	var f base.Fields
	f.Set("hs_timestamp", time.UnixMilli(c.StartedAt).UTC().Format(instant))
	f.Set("hs_call_title", base.Subject(c, titleMax))
	f.Set("hs_call_direction", direction)
	f.Set("hs_call_status", status)
	f.Set(externalID, c.ID)
	if c.Duration != nil { // 0 is a length, absent is unknown
		f.Set("hs_call_duration", strconv.FormatInt(int64(*c.Duration)*1000, 10))
	}
	f.Any("hs_call_from_number", c.From)
	f.Any("hs_call_to_number", c.To)
	f.Any("hs_call_recording_url", c.RecordingURL)
	f.Any("hubspot_owner_id", c.OwnerID)
	return f.Sorted(), links(c.Person, c.AccountID, c.DealID)
}

// links are the records that an activity is linked to.
func links(person schemas.Link, company, deal string) (ls []schemas.Link) {
	if person.ID != "" {
		ls = append(ls, person)
	}
	if number.MatchString(company) {
		ls = append(ls, schemas.Link{Provider: name, Object: companies, ID: company})
	}
	if number.MatchString(deal) {
		ls = append(ls, schemas.Link{Provider: name, Object: deals, ID: deal})
	}
	return ls
}

const instant = "2006-01-02T15:04:05.000Z"

// renderTask writes an event of the dialer as a task that is done.
func renderTask(h profile.Happening) ([]schemas.Field, []schemas.Link) {
	var f base.Fields
	f.Set("hs_timestamp", time.UnixMilli(h.At).UTC().Format(instant))
	f.Set("hs_task_subject", base.Cut(h.Title, titleMax))
	f.Set("hs_task_status", "COMPLETED")
	f.Any("hubspot_owner_id", h.OwnerID)
	return f.Sorted(), links(h.Person, h.AccountID, h.DealID)
}

// meetingLength is that of a meeting whose end nobody said.
const meetingLength = 30 * time.Minute

// renderMeeting writes a meeting. One that is called off stays, with that outcome.
func renderMeeting(h profile.Happening) ([]schemas.Field, []schemas.Link) {
	outcome := "SCHEDULED"
	if h.Cancelled {
		outcome = "CANCELED"
	}
	start, end := time.UnixMilli(h.At).UTC(), time.UnixMilli(h.EndsAt).UTC()
	if !end.After(start) {
		end = start.Add(meetingLength)
	}
	var f base.Fields
	f.Set("hs_timestamp", start.Format(instant))
	f.Set("hs_meeting_title", base.Cut(h.Title, titleMax))
	f.Set("hs_meeting_start_time", start.Format(instant))
	f.Set("hs_meeting_end_time", end.Format(instant))
	f.Set("hs_meeting_outcome", outcome)
	f.Any("hs_meeting_location", base.Cut(h.Location, titleMax))
	f.Any("hubspot_owner_id", h.OwnerID)
	return f.Sorted(), links(h.Person, h.AccountID, h.DealID)
}
