package hubspot

import (
	"html"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

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
	title, direction := "Call", "OUTBOUND"
	if c.Disposition != "" {
		title = "Call - " + c.Disposition
	}
	if c.Direction == schemas.Inbound {
		direction = "INBOUND"
	}
	f := []schemas.Field{
		schemas.Text("hs_timestamp", time.UnixMilli(c.StartedAt).UTC().Format(instant)),
		schemas.Text("hs_call_title", cut(title, titleMax)),
		schemas.Text("hs_call_body", body(c)),
		schemas.Text("hs_call_direction", direction),
		schemas.Text("hs_call_status", "COMPLETED"),
		schemas.Text(externalID, c.ID),
	}
	if c.Duration != nil { // 0 is a length, absent is unknown
		f = append(f, schemas.Text("hs_call_duration", strconv.FormatInt(int64(*c.Duration)*1000, 10)))
	}
	for _, o := range []struct{ name, value string }{
		{"hs_call_from_number", c.From}, {"hs_call_to_number", c.To},
		{"hs_call_disposition", disposition(c.Disposition)}, {"hubspot_owner_id", c.OwnerID},
	} {
		if o.value != "" {
			f = append(f, schemas.Text(o.name, o.value))
		}
	}
	sort.Slice(f, func(i, j int) bool { return f[i].Name < f[j].Name })
	if c.Person.ID == "" {
		return f, nil
	}
	return f, []schemas.Link{c.Person}
}

const instant = "2006-01-02T15:04:05.000Z"

// body is HTML: what a rep typed must not become markup.
func body(c profile.Call) string {
	var lines []string
	if c.Notes != "" {
		lines = append(lines, c.Notes, "")
	}
	if c.Disposition != "" && disposition(c.Disposition) == "" {
		lines = append(lines, "Disposition: "+c.Disposition)
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
	text := strings.TrimRight(strings.ReplaceAll(strings.Join(lines, "\n"), "\r\n", "\n"), "\n")
	return markup(text, bodyMax)
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

// cut shortens s to n characters, marked (B28).
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
