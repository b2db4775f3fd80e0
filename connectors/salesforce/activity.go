package salesforce

import (
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

const (
	subjectMax     = 255
	dispositionMax = 255
	descriptionMax = 32000
)

// render writes a call as a completed Task. Completed also spares the locks on the
// parents that an open task with a date would take.
func render(c profile.Call) ([]schemas.Field, []schemas.Link) {
	zone := c.TimeZone
	if zone == nil {
		zone = time.UTC
	}
	subject, callType := "Call", "Outbound"
	if c.Disposition != "" {
		subject = "Call - " + c.Disposition
	}
	if c.Direction == schemas.Inbound {
		callType = "Inbound"
	}
	f := []schemas.Field{
		schemas.Text("Subject", cut(subject, subjectMax)),
		schemas.Text("Status", "Completed"),
		schemas.Text("Priority", "Normal"),
		schemas.Text("TaskSubtype", "Call"),
		schemas.Text("CallType", callType),
		// B15: the day on which it began where it was made.
		schemas.Text("ActivityDate", time.UnixMilli(c.StartedAt).In(zone).Format(time.DateOnly)),
		schemas.Text("Description", cut(description(c), descriptionMax)),
	}
	if c.Disposition != "" {
		f = append(f, schemas.Text("CallDisposition", cut(c.Disposition, dispositionMax)))
	}
	if c.Duration != nil { // 0 is a length, absent is unknown
		f = append(f, schemas.Text("CallDurationInSeconds", strconv.Itoa(int(*c.Duration))))
	}
	if c.OwnerID != "" {
		f = append(f, schemas.Text("OwnerId", c.OwnerID))
	}
	if c.Person.ID != "" {
		f = append(f, schemas.Text("WhoId", c.Person.ID))
	}
	// B14: a Task on a Lead must have no WhatId.
	if c.Person.Object != lead && c.AccountID != "" {
		f = append(f, schemas.Text("WhatId", c.AccountID))
	}
	sort.Slice(f, func(i, j int) bool { return f[i].Name < f[j].Name })
	return f, nil
}

func description(c profile.Call) string {
	var lines []string
	if c.Notes != "" {
		lines = append(lines, c.Notes, "")
	}
	if c.From != "" {
		lines = append(lines, "From: "+c.From)
	}
	if c.To != "" {
		lines = append(lines, "To: "+c.To)
	}
	if c.AgentEmail != "" && c.OwnerID == "" { // B16: the rep stands in the text
		lines = append(lines, "Agent: "+c.AgentEmail)
	}
	if c.Score != nil {
		lines = append(lines, "Score: "+strconv.FormatFloat(*c.Score, 'f', -1, 64))
	}
	if c.RecordingURL != "" {
		lines = append(lines, "Recording: "+c.RecordingURL)
	}
	return strings.Join(lines, "\n")
}

// cut shortens s to n characters, marked (B28).
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
