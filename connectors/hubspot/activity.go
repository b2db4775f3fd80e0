package hubspot

import (
	"html"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

const (
	titleMax = 255
	bodyMax  = 60000 // characters of HTML; the property takes 65,536
)

// dispositions are the ones that every portal has. A label that is not among them
// stands in the body: HubSpot maps no labels.
var dispositions = map[string]string{
	"busy":              "9d9162e7-6cf3-4944-bf63-4dff82258764",
	"connected":         "f240bbac-87c9-4f6e-bf70-924b57d47db7",
	"left live message": "a4c4c377-d246-4b32-a13b-75a56a4cd0ff",
	"left voicemail":    "b2cf5968-551e-4856-9783-52b3da59a7d0",
	"no answer":         "73a0d17f-1163-4015-bdd5-ec830791da20",
	"wrong number":      "17b47fee-58de-441e-a44c-c6300d46f273",
}

func disposition(label string) string {
	return dispositions[strings.ToLower(strings.TrimSpace(label))]
}

// render writes a call as a completed call engagement on its person.
func render(c profile.Call) ([]schemas.Field, []schemas.Link) {
	direction := "OUTBOUND"
	if c.Direction == schemas.Inbound {
		direction = "INBOUND"
	}
	var f base.Fields
	f.Set("hs_timestamp", time.UnixMilli(c.StartedAt).UTC().Format(instant))
	f.Set("hs_call_title", base.Subject(c, titleMax))
	f.Set("hs_call_body", body(c))
	f.Set("hs_call_direction", direction)
	f.Set("hs_call_status", "COMPLETED")
	f.Set(externalID, c.ID)
	if c.Duration != nil { // 0 is a length, absent is unknown
		f.Set("hs_call_duration", strconv.FormatInt(int64(*c.Duration)*1000, 10))
	}
	f.Any("hs_call_from_number", c.From)
	f.Any("hs_call_to_number", c.To)
	f.Any("hs_call_disposition", disposition(c.Disposition))
	f.Any("hubspot_owner_id", c.OwnerID)
	if c.Person.ID == "" {
		return f.Sorted(), nil
	}
	return f.Sorted(), []schemas.Link{c.Person}
}

const instant = "2006-01-02T15:04:05.000Z"

// body is HTML: what a rep typed must not become markup.
func body(c profile.Call) string {
	label := c.Disposition
	if disposition(label) != "" {
		label = ""
	}
	return markup(base.Description(c, "Disposition", label), bodyMax)
}

// markup escapes text into at most n characters of HTML, cut between characters of
// the text and marked (B28), never within an entity.
func markup(text string, n int) string {
	var b strings.Builder
	size := 0
	for _, r := range text {
		s := "<br>"
		if r != '\n' {
			s = html.EscapeString(string(r))
		}
		if w := utf8.RuneCountInString(s); size+w >= n {
			b.WriteString("…")
			break
		} else {
			size += w
		}
		b.WriteString(s)
	}
	return b.String()
}
