package sync

import (
	"fmt"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

func leadKey(number string) string { return "lead:" + number }

// holdUnknown holds a call whose person is not known. Where the tenant wants it, a lead
// is made for the number first: one for each number, whatever number of calls there is,
// for that it was made stands in our state (B3).
func (w *world) holdUnknown(c *call) error {
	number := w.number(c)
	if number == "" {
		return w.holdCall(c, "its number is no phone number, and nobody with its contact is known")
	}
	why := "nobody with this number or contact is known"
	if w.cfg.Calls.CreateLead {
		said, err := w.leadFor(number, c)
		if err != nil {
			return err
		}
		if said != "" {
			return w.holdCall(c, said)
		}
	}
	if err := w.lookUp(number); err != nil {
		return err
	}
	return w.holdCall(c, why)
}

// leadFor makes the lead of a number, if it was not made yet, and says how it stands.
func (w *world) leadFor(number string, c *call) (string, error) {
	pr := w.leadsIn()
	if pr == nil {
		return "", nil
	}
	id := w.scope(pr.Provider) + "\x00" + number
	m, ok, err := get(w, madeLeads, kindLead, id)
	if err != nil {
		return "", err
	}
	if !ok {
		read, err := w.personsRead(pr)
		if err != nil {
			return "", err
		}
		if !read { // somebody with the number may come yet
			w.timer(w.tx.Now+leadRetry, timerRelease, "n:"+number)
			return "nobody with this number is known; a lead is made once " + pr.Provider + " was read", nil
		}
		m = &madeLead{Number: number, Provider: pr.Provider, Account: w.account(pr.Provider).ID, Object: pr.New.Object}
		if m.Person, err = w.unwrittenPerson(number, c); err != nil {
			return "", err
		}
		if err := w.createLead(m, pr); err != nil {
			return "", err
		}
	}
	switch m.Status {
	case schemas.StatusPending:
		return "its lead is being made", nil
	case schemas.StatusError:
		return fmt.Sprintf("its lead was not made: %s (redrive key=%s/%s)", m.Reason, m.Provider, leadKey(number)), nil
	}
	return "its lead " + m.ID + " is not there any more", nil
}

// leadsIn is the CRM that leads are made in: the primary one, else the first.
func (w *world) leadsIn() (found *profile.Profile) {
	for _, p := range w.s.order {
		pr, _ := w.profile(p)
		if !w.configured(p) || pr.New.Object == "" {
			continue
		}
		if found == nil || p == w.cfg.PrimaryCRM {
			found = pr
		}
	}
	return found
}

// personsRead reports whether a CRM's persons were read to their end once.
func (w *world) personsRead(pr *profile.Profile) (bool, error) {
	for i := range pr.Sources {
		if _, person := pr.ObjectByName(pr.Sources[i].Object); !person {
			continue
		}
		if read, err := w.loaded(pr.Provider, pr.Sources[i].Object); err != nil || !read {
			return false, err
		}
	}
	return true, nil
}

// unwrittenPerson is one whom the dialer knows and no CRM has: by the call's contact, by the
// number; "" if there is none.
func (w *world) unwrittenPerson(number string, c *call) (string, error) {
	var ids []string
	if id := c.Event.ContactID; id != nil {
		pid, ok, err := w.text(kindContact, *id)
		if err != nil {
			return "", err
		}
		if ok {
			ids = append(ids, pid)
		}
	}
	same, err := w.members(kindPhone, number, 20)
	if err != nil {
		return "", err
	}
	for _, id := range append(ids, same...) {
		p, ok, err := w.load(id)
		if err != nil {
			return "", err
		}
		if ok && len(p.Links) == 0 && p.Status == statusActive {
			return id, nil
		}
	}
	return "", nil
}

// wantNoLead takes back the leads that were wanted for the numbers of somebody who has a
// record by now: what waits would make a second one.
func (w *world) wantNoLead(p *person) error {
	if !w.cfg.Calls.CreateLead {
		return nil
	}
	for i := range p.Fields {
		k, number := w.indexed(&p.Fields[i])
		if k != kindPhone || number == "" {
			continue
		}
		for _, provider := range w.s.order {
			id := w.scope(provider) + "\x00" + number
			m, ok, err := get(w, madeLeads, kindLead, id)
			if err != nil {
				return err
			}
			if ok && m.Status == schemas.StatusPending {
				w.tx.Store.Delete(w.t.Key(kindLead, id))
				w.want.Forget = append(w.want.Forget, pipeline.Ref{Provider: provider, Key: leadKey(number)})
			}
		}
	}
	return nil
}

func (w *world) createLead(m *madeLead, pr *profile.Profile) error {
	fields, err := w.leadFields(m, pr)
	if err != nil {
		return err
	}
	needs := []string{pr.New.Phone}
	for _, f := range pr.New.Fields {
		needs = append(needs, f.Name)
	}
	m.Revision++
	m.Status, m.Reason = schemas.StatusPending, ""
	w.want.Writes = append(w.want.Writes, pipeline.Write{Provider: m.Provider, Account: m.Account, Object: m.Object, Key: leadKey(m.Number), Fields: fields,
		Priority: pipeline.PriorityCall, Revision: m.Revision, Drops: true, Needs: needs})
	put(w, madeLeads, kindLead, w.scope(m.Provider)+"\x00"+m.Number, m)
	return nil
}

// settleLead takes over how the create of a lead ended; what follows from it wants
// writes of its own, which a timer may have.
func (w *world) settleLead(st *pipeline.Settlement) error {
	number := st.Key[len(leadKey("")):]
	m, ok, err := get(w, madeLeads, kindLead, w.scope(st.Provider)+"\x00"+number)
	if err != nil || !ok || m.Account != st.Account || st.Revision < m.Revision || st.Dropped {
		return err
	}
	if pr, ok := w.profile(st.Provider); ok && pr.NormalizeID != nil {
		st.ID = pr.NormalizeID(st.ID)
	}
	m.ID, m.Status, m.Reason = st.ID, st.Status, st.Message
	put(w, madeLeads, kindLead, w.scope(st.Provider)+"\x00"+number, m)
	w.timer(w.tx.Now, timerLead, st.Provider+"\x00"+number)
	return nil
}

// leadMade goes on with the calls that wait for a lead. What was written of it is what
// the CRM has: it is a record of a person now (B4).
func (w *world) leadMade(id string) error {
	provider, number, _ := strings.Cut(id, "\x00")
	m, ok, err := get(w, madeLeads, kindLead, w.scope(provider)+"\x00"+number)
	pr, known := w.profile(provider)
	if err != nil || !ok || !known {
		return err
	}
	if m.Status == schemas.StatusSynced && m.ID != "" {
		if err := w.leadLinked(m, pr); err != nil {
			return err
		}
	}
	w.wake("n:" + number) // they say how it stands
	return nil
}

// leadLinked makes a lead that was made a record of its person.
func (w *world) leadLinked(m *madeLead, pr *profile.Profile) error {
	fields, err := w.leadFields(m, pr)
	if err != nil {
		return err
	}
	lid := w.linkID(pr.Provider, m.Object, m.ID)
	if _, known, err := w.text(kindLink, lid); err != nil {
		return err
	} else if !known && m.Person != "" {
		w.setText(kindLink, lid, m.Person)
	}
	return w.merge(pr, m.Object, m.ID, w.tx.Now, fields, saying{found: true, part: true})
}

// leadFields are what the CRM wants of any, what the tenant gives to new records, then
// what the dialer knows of the person.
func (w *world) leadFields(m *madeLead, pr *profile.Profile) (fields []schemas.Field, err error) {
	for _, f := range pr.New.Fields {
		fields = set(fields, f.Name, f.Value)
	}
	o := w.lines.Object(pr.Provider, pr.New.Object)
	if o == nil {
		return set(fields, pr.New.Phone, &m.Number), nil
	}
	for _, f := range o.Constants() {
		fields = set(fields, f.Name, f.Value)
	}
	fields = set(fields, pr.New.Phone, &m.Number)
	if m.Person == "" {
		return fields, nil
	}
	p, ok, err := w.load(m.Person)
	if err != nil || !ok {
		return fields, err
	}
	for _, l := range o.Lines {
		if v, has, _ := w.outward(p, l); l.Outbound() && has && !blank(v) {
			fields = set(fields, l.CRM, v)
		}
	}
	return fields, nil
}

// redriveLead makes a lead that was given up once more.
func (w *world) redriveLead(provider, number string) error {
	m, ok, err := get(w, madeLeads, kindLead, w.scope(provider)+"\x00"+number)
	if err != nil {
		return err
	}
	pr, known := w.profile(provider)
	if !ok || !known || m.Status != schemas.StatusError {
		return pipeline.Rejectf(schemas.ReasonInvalid, "no lead of that number was given up")
	}
	m.Account = w.account(provider).ID
	if err := w.createLead(m, pr); err != nil {
		return err
	}
	w.wake("n:" + number)
	return nil
}
