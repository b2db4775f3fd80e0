package dialer

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/crmstream/crmstream/schemas"
)

// Call is a call of one tenant.
type Call struct {
	Tenant string
	Event  schemas.CallEvent
}

var dispositions = []string{"Connected", "No Answer", "Voicemail", "Meeting Booked", "Not Interested"}

var phrases = []string{
	"Asked for a demo with the team.", "Budget is decided next quarter.", "Uses a competitor; the contract ends in spring.",
	"Please call back after lunch.", "Wants the case study by e-mail.", "Happy with the present tool.",
}

// Generator makes calls: the same seed, the same calls.
type Generator struct{ rng *rand.Rand }

// NewGenerator returns a generator of a seed.
func NewGenerator(seed uint64) *Generator { return &Generator{rand.New(rand.NewPCG(seed, 0x63726d))} }

// Next returns a call of the tenant to the number, which ended at end.
func (g *Generator) Next(tenant, id, number, agent string, end time.Time) Call {
	seconds := int32(g.rng.IntN(600))
	disposition := dispositions[g.rng.IntN(len(dispositions))]
	notes := phrases[g.rng.IntN(len(phrases))]
	ended := end.UnixMilli()
	recording := "rec-" + id
	score := float64(g.rng.IntN(101))
	return Call{tenant, schemas.CallEvent{
		CallID: id, Revision: 1, Direction: schemas.Outbound, StartedAt: ended - int64(seconds)*1000, EndedAt: &ended, DurationSeconds: &seconds,
		FromNumber: "+14155550100", ToNumber: number, AgentEmail: agent, Disposition: &disposition, Notes: &notes, RecordingID: &recording, Score: &score,
	}}
}

// line is a call as people write it: instants in RFC 3339.
type line struct {
	Tenant      string        `json:"tenant"`
	CallID      string        `json:"call_id"`
	Revision    int64         `json:"revision"`
	Direction   string        `json:"direction"`
	StartedAt   time.Time     `json:"started_at"`
	EndedAt     *time.Time    `json:"ended_at"`
	Seconds     *int32        `json:"duration_seconds"`
	From        string        `json:"from_number"`
	To          string        `json:"to_number"`
	ContactID   *string       `json:"contact_id"`
	CRMLink     *schemas.Link `json:"crm_link"`
	Agent       string        `json:"agent_email"`
	Disposition *string       `json:"disposition"`
	Notes       *string       `json:"notes"`
	Recording   *string       `json:"recording_id"`
	TimeZone    *string       `json:"time_zone"`
	Score       *float64      `json:"score"`
	Kind        string        `json:"kind"`
	Summary     *string       `json:"summary"`
	KeyPoints   []string      `json:"key_points"`
	NextSteps   []string      `json:"next_steps"`
	Sentiment   *string       `json:"sentiment"`
	TalkRatio   *float64      `json:"talk_ratio_agent"`
	AgentName   string        `json:"agent_name"`
	Deal        *schemas.Link `json:"deal"`
	Signed      *string       `json:"recording_url"`
}

// Read reads calls, one JSON object a line. All mistakes are reported, by line.
func Read(r io.Reader) ([]Call, error) {
	var calls []Call
	var wrong []string
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		if strings.TrimSpace(sc.Text()) == "" {
			continue
		}
		l := line{Revision: 1, Direction: schemas.Outbound}
		dec := json.NewDecoder(strings.NewReader(sc.Text()))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&l); err != nil {
			wrong = append(wrong, fmt.Sprintf("line %d: %v", n, err))
			continue
		}
		if l.Tenant == "" || l.CallID == "" || l.StartedAt.IsZero() {
			wrong = append(wrong, fmt.Sprintf("line %d: tenant, call_id and started_at must be there", n))
			continue
		}
		c := Call{l.Tenant, schemas.CallEvent{CallID: l.CallID, Revision: l.Revision, Direction: l.Direction, StartedAt: l.StartedAt.UnixMilli(),
			DurationSeconds: l.Seconds, FromNumber: l.From, ToNumber: l.To, ContactID: l.ContactID, CRMLink: l.CRMLink, AgentEmail: l.Agent,
			Disposition: l.Disposition, Notes: l.Notes, RecordingID: l.Recording, TimeZone: l.TimeZone, Score: l.Score,
			Kind: l.Kind, Summary: l.Summary, KeyPoints: l.KeyPoints, NextSteps: l.NextSteps, Sentiment: l.Sentiment, TalkRatioAgent: l.TalkRatio, AgentName: l.AgentName, Deal: l.Deal, RecordingURL: l.Signed}}
		if l.EndedAt != nil {
			ms := l.EndedAt.UnixMilli()
			c.Event.EndedAt = &ms
		}
		calls = append(calls, c)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("reading calls: %w", err)
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("nothing was sent:\n%s", strings.Join(wrong, "\n"))
	}
	return calls, nil
}
