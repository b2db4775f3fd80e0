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

// render writes a call as a completed Task. Completed also spares the locks on the
// parents that an open task with a date would take.
func render(c profile.Call) ([]schemas.Field, []schemas.Link) {
	zone := c.TimeZone
	if zone == nil {
		zone = time.UTC
	}
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
	// B15: the day on which it began where it was made.
	f.Set("ActivityDate", time.UnixMilli(c.StartedAt).In(zone).Format(time.DateOnly))
	f.Set("Description", base.Cut(base.Description(c, "From", c.From, "To", c.To), descriptionMax))
	f.Any("CallDisposition", base.Cut(c.Disposition, dispositionMax))
	if c.Duration != nil { // 0 is a length, absent is unknown
		f.Set("CallDurationInSeconds", strconv.Itoa(int(*c.Duration)))
	}
	f.Any("OwnerId", c.OwnerID)
	f.Any("WhoId", c.Person.ID)
	// B14: a Task on a Lead must have no WhatId.
	if c.Person.Object != lead {
		f.Any("WhatId", c.AccountID)
	}
	return f.Sorted(), nil
}
