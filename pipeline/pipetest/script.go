package pipetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// day is the first moment of the day that scripts play on, a Sunday, in ms. They
// begin at 09:00:00.
var day = time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC).UnixMilli()

// Run runs a script and returns it with what really came out.
func Run(script string) (string, error) {
	return RunWith(ours(script), script)
}

// RunWith is Run with other CRMs than those of Profiles.
func RunWith(profiles []*profile.Profile, script string) (string, error) {
	out, _, err := run(profiles, script)
	return out, err
}

// After runs a script and returns the machine as it left it.
func After(script string) (*Machine, error) {
	_, m, err := run(ours(script), script)
	return m, err
}

// ours are the CRMs of Profiles, as a script wants them.
func ours(script string) []*profile.Profile {
	profiles := Profiles()
	if strings.HasPrefix(script, canFind) || strings.Contains(script, "\n"+canFind) {
		for _, p := range profiles {
			p.FindsByPhone = true
		}
	}
	if strings.HasPrefix(script, canPage) || strings.Contains(script, "\n"+canPage) {
		paged(profiles)
	}
	return profiles
}

func run(profiles []*profile.Profile, script string) (string, *Machine, error) {
	s := &runner{m: NewMachine(profiles, day+9*3600*1000), attempts: make(map[string]*schemas.Attempt), dead: make(map[string]*schemas.DeadLetter), versions: make(map[string]int64), rows: make(map[string]string)}
	var out strings.Builder
	inOutput, ran := false, false
	for n, line := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		switch {
		case inOutput && line != "":
			continue
		case line == "":
			if ran && !inOutput {
				return "", nil, fmt.Errorf("line %d: input without a ---- under it", n+1)
			}
			inOutput, ran = false, false
			out.WriteString("\n")
		case strings.HasPrefix(line, "#"):
			out.WriteString(line + "\n")
		case line == "----":
			inOutput = true
			out.WriteString("----\n" + s.out.String())
			s.out.Reset()
		default:
			out.WriteString(line + "\n")
			ran = true
			if err := s.line(line); err != nil {
				return "", nil, fmt.Errorf("line %d: %w", n+1, err)
			}
		}
	}
	return out.String(), s.m, nil
}

// canFind is the line of a script whose CRMs look for persons by number.
const canFind = "can find\n"

// canPage is the line of a script whose CRMs are read by pages, each kind of record by a
// source of its own.
const canPage = "can page\n"

type runner struct {
	m        *Machine
	tenant   string
	versions map[string]int64
	attempts map[string]*schemas.Attempt // by number
	dead     map[string]*schemas.DeadLetter
	inputs   []*pipeline.Record     // by offset
	repeats  uint64                 // duplicates counted so far
	mappings []schemas.FieldMapping // of the next tenant line
	scopes   []schemas.ObjectScope  // likewise
	records  bool                   // each row of sync.records is shown
	rows     map[string]string      // status of the rows of persons' records, by key
	out      strings.Builder
}

func (s *runner) line(line string) error {
	ws := words(line)
	if len(ws) == 0 {
		return fmt.Errorf("nothing on the line")
	}
	if line+"\n" == canFind || line+"\n" == canPage {
		return nil
	}
	if line == "records" {
		s.records = true
		return nil
	}
	if ws[0] != "tenant" && ws[0] != "mapping" && ws[0] != "scope" {
		at, err := moment(ws[0], s.m.Now)
		if err != nil {
			return err
		}
		if at < s.m.Now {
			return fmt.Errorf("%s is earlier than the line before", ws[0])
		}
		if ws = ws[1:]; len(ws) == 0 {
			return fmt.Errorf("a time without a command")
		}
		if err := s.m.Advance(at-1, func(h Happened) { s.show(h, at) }); err != nil {
			return err
		}
		s.m.Now = at
	}
	if err := s.do(ws[0], ws[1:]); err != nil {
		return fmt.Errorf("%s: %w", ws[0], err)
	}
	now := s.m.Now
	if err := s.m.Advance(now, func(h Happened) { s.show(h, now) }); err != nil {
		return err
	}
	return s.duplicates()
}

func (s *runner) do(cmd string, ws []string) error {
	if cmd == "result" {
		return s.result(ws)
	}
	a := parse(ws)
	switch cmd {
	case "tenant":
		return s.configure(a)
	case "mapping":
		return s.mapping(a)
	case "scope":
		return s.scope(a)
	case "wait":
		return nil
	case "resume":
		h, err := s.m.Resume()
		s.show(h, s.m.Now)
		return err
	case "crm", "stream", "reset", "hint", "page", "owner", "disposition", "describe":
		c, err := s.change(cmd, a)
		if err != nil {
			return err
		}
		return s.step(schemas.TopicCRMChanges, c)
	case "contact":
		return s.contact(a)
	case "call":
		return s.call(a)
	case "action":
		return s.action(a)
	case "event":
		contact, call := a.optional("contact"), a.optional("call")
		at, err := a.time("at", s.m.Now, s.m.Now)
		if err != nil {
			return err
		}
		id := "e"
		if v, ok := a.take("id"); ok {
			id = v
		}
		for _, name := range []string{"starts_at", "ends_at"} { // as ms since 1970
			if v, ok := a.take(name); ok {
				t, err := moment(v, s.m.Now)
				if err != nil {
					return err
				}
				a.named = append(a.named, schemas.Text(name, strconv.FormatInt(t, 10)))
			}
		}
		return s.step(schemas.TopicDialerEvents, &schemas.DialerEvent{EventID: id, Type: a.at(0), At: at, ContactID: contact, CallID: call, Fields: a.named})
	}
	return fmt.Errorf("no such command")
}

func (s *runner) step(topic string, v any) error { return s.stepWith(topic, v, nil) }

func (s *runner) stepWith(topic string, v any, original *pipeline.Record) error {
	rec := &pipeline.Record{Topic: topic, Tenant: s.tenant, Key: []byte(s.tenant), Timestamp: s.m.Now, Decoded: v, Original: original}
	s.inputs = append(s.inputs, rec)
	h, err := s.m.Step(rec)
	if err != nil {
		return err
	}
	s.show(h, s.m.Now)
	return nil
}

// action is an operator's. A redrive names its dead letter by key, or the input by its
// offset, which is its number from 0 among all inputs of the script.
func (s *runner) action(a *args) error {
	act := &schemas.ControlAction{ActionID: a.text("id"), Kind: a.at(0), At: s.m.Now, By: "ann"}
	var original *pipeline.Record
	if v, ok := a.take("offset"); ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n >= len(s.inputs) {
			return fmt.Errorf("there is no input %s", v)
		}
		original = s.inputs[n]
		act.DeadLetter = &schemas.DeadLetter{Tenant: original.Tenant, Topic: original.Topic, Offset: original.Offset}
	}
	if v, ok := a.take("dlq"); ok {
		if act.DeadLetter, ok = s.dead[v]; !ok {
			return fmt.Errorf("there is no dead letter of %s", v)
		}
		if act.DeadLetter.Topic == schemas.TopicCRMChanges {
			original = s.inputs[act.DeadLetter.Offset]
		}
	}
	act.Fields = a.named
	return s.stepWith(schemas.TopicControlActions, act, original)
}

func (s *runner) configure(a *args) error {
	s.tenant = a.at(0)
	s.versions[s.tenant]++
	seconds, err := a.number("min_seconds", 0)
	if err != nil {
		return err
	}
	c := &schemas.TenantConfig{Tenant: s.tenant, Version: s.versions[s.tenant], Country: "US", TimeZone: "UTC", MinCallSeconds: int32(seconds),
		DefaultOwnerEmail: a.text("default_owner"), Removed: a.flag("removed")}
	if v, ok := a.take("country"); ok {
		c.Country = v
	}
	if v, ok := a.take("zone"); ok {
		c.TimeZone = v
	}
	if err := policy(a, c); err != nil {
		return err
	}
	c.Locale, c.Currency = a.text("locale"), a.text("currency")
	c.Mappings, c.Scopes = append(c.Mappings, s.mappings...), s.scopes
	s.mappings, s.scopes = nil, nil
	org := "org"
	if v, ok := a.take("org"); ok {
		org = v
	}
	settings := a.named
	for _, p := range a.rest[1:] {
		if !slices.Contains(tenantFlags, p) {
			c.Accounts = append(c.Accounts, schemas.Account{Provider: p, ID: org, Settings: settings})
		}
	}
	if a.flag("unknown") { // it is named only
		s.versions[s.tenant]--
		return nil
	}
	return s.step(schemas.TopicControlTenants, c)
}

func (s *runner) change(cmd string, a *args) (*schemas.CRMChange, error) {
	at, err := a.time("at", s.m.Now, s.m.Now)
	if err != nil {
		return nil, err
	}
	org := "org"
	if v, ok := a.take("org"); ok {
		org = v
	}
	c := &schemas.CRMChange{Provider: a.at(0), Account: org, Object: a.at(1), ID: a.at(2), ObservedAt: s.m.Now}
	epoch, err := a.number("epoch", 0)
	if err != nil {
		return nil, err
	}
	switch cmd {
	case "crm":
		c.Record = &schemas.RecordRead{ModifiedAt: at, Deleted: a.flag("deleted"), MovedTo: a.optional("moved"), Cause: "read"}
		if a.flag("paged") {
			c.Record.Cause = "page"
		}
		if a.flag("again") {
			c.Record.Cause = "again"
		}
		if a.flag("found") {
			c.Record.Cause = schemas.KindFind
		}
		c.Record.Fields = a.named
	case "hint":
		c.Hint = &schemas.Hint{OccurredAt: at, Kind: "changed"}
		if a.flag("erased") {
			c.Hint.Kind = schemas.HintErased
		}
	case "disposition":
		c.Object, c.ID = "disposition", a.at(1)
		c.Reference = &schemas.Reference{Kind: "disposition", Deleted: a.flag("deleted"), Fields: a.named}
	case "describe":
		c.Object, c.ID = "schema", a.at(1)
		if c.Reference, err = describe(c.Provider, a); err != nil {
			return nil, err
		}
	case "owner":
		c.Object, c.ID = "owner", a.at(1)
		c.Reference = &schemas.Reference{Kind: "owner", Deleted: a.flag("deleted"), Fields: a.named}
	case "page":
		c.ID = ""
		c.PageEnd = &schemas.PageMarker{Source: a.at(1), From: a.text("from"), To: a.text("to"), Last: a.flag("last")}
		if n, ok := a.take("attempt"); ok {
			at, ok := s.attempts[n]
			if !ok {
				return nil, fmt.Errorf("there is no attempt %s", n)
			}
			c.PageEnd.AttemptID = at.ID
		}
	case "reset":
		c.Object, c.ID = "", ""
		c.Stream = &schemas.StreamEvent{Epoch: epoch, Reset: true, To: a.text("to")}
	case "stream":
		c.ID = ""
		c.Stream = &schemas.StreamEvent{Epoch: epoch, From: a.text("from"), To: a.text("to"), ChangeType: a.text("type"), ModifiedAt: at}
		if ids := a.text("ids"); ids != "" {
			c.Stream.RecordIDs = strings.Split(ids, ",")
		}
		c.Stream.Fields = a.named
	}
	return c, nil
}

func (s *runner) contact(a *args) error {
	at, err := a.time("at", s.m.Now, s.m.Now)
	if err != nil {
		return err
	}
	c := &schemas.ContactChange{ContactID: a.at(0), ModifiedAt: at, Deleted: a.flag("deleted")}
	if l, ok := a.take("link"); ok {
		if c.CRMLink, err = link(l); err != nil {
			return err
		}
	}
	c.Fields = a.named
	return s.step(schemas.TopicDialerContacts, c)
}

func (s *runner) call(a *args) error {
	rev, err := a.number("rev", 1)
	if err != nil {
		return err
	}
	start, err := a.time("start", s.m.Now, s.m.Now-60_000)
	if err != nil {
		return err
	}
	ev := &schemas.CallEvent{CallID: a.at(0), Revision: rev, Direction: schemas.Outbound, StartedAt: start, ToNumber: a.text("to"), FromNumber: a.text("from"),
		AgentEmail: a.text("agent"), ContactID: a.optional("contact"), Disposition: a.optional("disposition"), Notes: a.optional("notes"), TimeZone: a.optional("zone")}
	if a.flag("inbound") {
		ev.Direction = schemas.Inbound
	}
	if v, ok := a.take("seconds"); ok {
		n, err := strconv.Atoi(v)
		if err != nil {
			return fmt.Errorf("seconds=%s is no number", v)
		}
		d := int32(n)
		ev.DurationSeconds = &d
	}
	if _, ok := a.take("end"); ok {
		return fmt.Errorf("say ended=TIME")
	}
	end, err := a.time("ended", s.m.Now, -1)
	if err != nil {
		return err
	}
	if end >= 0 {
		ev.EndedAt = &end
	}
	if l, ok := a.take("link"); ok {
		if ev.CRMLink, err = link(l); err != nil {
			return err
		}
	}
	if err := details(a, ev); err != nil {
		return err
	}
	if len(a.named) > 0 {
		return fmt.Errorf("%s= is not known", a.named[0].Name)
	}
	return s.step(schemas.TopicDialerCalls, ev)
}

// result answers an attempt: what is said before the first "/" that names no item
// counts for all of them.
func (s *runner) result(ws []string) error {
	if len(ws) == 0 {
		return fmt.Errorf("of which attempt?")
	}
	at, ok := s.attempts[ws[0]]
	if !ok {
		return fmt.Errorf("there is no attempt %s", ws[0])
	}
	var parts [][]string
	for _, p := range strings.Split(" "+strings.Join(quoteAll(ws[1:]), " ")+" ", " / ") {
		parts = append(parts, words(p))
	}
	r := &schemas.AttemptResult{AttemptID: at.ID, Provider: at.Provider, Account: at.Account, Kind: at.Kind, Object: at.Object, FinishedAt: s.m.Now}
	for i, it := range at.Items {
		a := parse(parts[min(i, len(parts)-1)])
		ir := schemas.ItemResult{Key: it.Key, ID: a.text("id"), URL: a.text("url"), Outcome: schemas.Sent, Error: a.text("error"), Code: a.text("code"), Message: a.text("message"), Linked: a.flag("linked")}
		if v, ok := a.take("outcome"); ok {
			ir.Outcome = v
		}
		if v, ok := a.take("fields"); ok {
			ir.Fields = strings.Split(v, ",")
		}
		if v, ok := a.take("retry"); ok {
			d, err := time.ParseDuration(v)
			if err != nil {
				return fmt.Errorf("retry=%s is no duration", v)
			}
			r.RetryAfterMs = d.Milliseconds()
		}
		if a.flag("whole") {
			r.Error, r.Message = ir.Error, ir.Message
		}
		r.Items = append(r.Items, ir)
	}
	return s.step(schemas.TopicCRMResults, r)
}

func quoteAll(ws []string) []string {
	out := make([]string, len(ws))
	for i, w := range ws {
		out[i] = w
		if strings.Contains(w, " ") {
			out[i] = `"` + w + `"`
		}
	}
	return out
}
