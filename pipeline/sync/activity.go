package sync

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	act "github.com/crmstream/crmstream/pipeline/activity"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// draft is what is to stand in a CRM of a call or an event.
type draft struct {
	provider, object        string
	key                     string // of the outbox
	identityField, identity string
	local, table            string // on sync.records
	began                   int64  // ms
	fields                  []schemas.Field
	links                   []schemas.Link
	text                    string
	body                    profile.Body
	name, mark              string // of our block in it
	ownerField              string
	sets                    func(field string) bool // nil = any; see ownfield.go
}

// heard is what the CRM said stands in the description of an activity. Not known: it
// did not say so in time.
type heard struct {
	provider, key string
	body          string
}

func (w *world) body(d *draft) act.Body {
	return act.Body{Max: d.body.Max, HTML: d.body.HTML, Name: d.name, Marks: w.cfg.Calls.NotesLayout != "plain"}
}

// standing returns what stands, or is to stand, in one CRM; nil if nothing does. What
// never got to an account that was replaced is forgotten.
func (w *world) standing(as *[]activity, provider string) *activity {
	i := slices.IndexFunc(*as, func(a activity) bool { return a.Provider == provider })
	if i < 0 {
		return nil
	}
	if a := &(*as)[i]; a.ID != "" || a.Account == w.account(provider).ID {
		return a
	}
	*as = slices.Delete(*as, i, i+1)
	return nil
}

// write wants a draft to stand in the CRM: at first whole, then only what has changed,
// on the same activity (B12).
func (w *world) write(as *[]activity, target *link, d *draft) {
	acc := w.account(d.provider)
	a := w.standing(as, d.provider)
	wr := pipeline.Write{Provider: d.provider, Account: acc.ID, Object: d.object, Key: d.key, IdentityField: d.identityField, Identity: d.identity, Priority: pipeline.PriorityCall, Drops: true}
	if p, ok := w.profile(d.provider); ok {
		wr.Needs = p.Activity.Needs
	}
	if a == nil {
		*as = append(*as, activity{Provider: d.provider, Account: acc.ID, Object: d.object})
		a = &(*as)[len(*as)-1]
		if target != nil {
			a.Person = schemas.Link{Provider: d.provider, Object: target.Object, ID: target.ID}
		}
		w.fill(a, d, "")
		wr.Fields, wr.Associations = d.fields, d.links
	} else {
		if a.Status == schemas.StatusCRMDeleted {
			return // later edits do not resurrect it (B13)
		}
		stands, known := find(a.Fields, d.body.Field)
		switch {
		case d.body.Field == "":
		case bytes.Equal(hashOf(d.text), a.Text) && (known || d.text == ""):
			if known {
				d.fields = set(d.fields, d.body.Field, stands)
			}
		case a.ID == "": // nobody can have typed into it yet
			w.fill(a, d, "")
		case w.heard == nil || w.heard.provider != d.provider || w.heard.key != d.key:
			w.ask(a, d)
			return
		default:
			w.fill(a, d, w.heard.body)
			a.Fields = set(slices.Clone(a.Fields), d.body.Field, &w.heard.body)
		}
		waited := a.AskedAt != 0
		w.heardOf(a, d.key)
		wr.Fields = changed(a.Fields, d)
		if len(wr.Fields) == 0 {
			if waited && a.Ended != "" { // the edit was taken back
				a.Status = a.Ended
				w.publishRecord(a, d.table, d.local, d.began)
			}
			return
		}
		if a.ID == "" && a.Status != schemas.StatusPending {
			wr.Fields, wr.Associations = d.fields, d.links // it never got there: once more, whole
		}
		wr.ID = a.ID
	}
	for _, f := range wr.Fields {
		a.Dropped = unset(a.Dropped, f.Name) // it is tried again
	}
	a.Revision++
	wr.Revision = a.Revision
	a.Fields, a.Status, a.Reason, a.Ended = d.fields, schemas.StatusPending, "", ""
	w.want.Writes = append(w.want.Writes, wr)
	w.publishRecord(a, d.table, d.local, d.began)
}

// fill puts the text of a draft into its description, around which stays what stands
// there.
func (w *world) fill(a *activity, d *draft, stands string) {
	if d.body.Field == "" {
		return
	}
	body, block := w.body(d).Merge(stands, a.block(d.body.Field), d.mark, d.text)
	a.Text, a.BlockAt, a.BlockLen = hashOf(d.text), int64(max(0, strings.Index(body, block))), int64(len(block))
	if body != "" {
		d.fields = set(d.fields, d.body.Field, &body)
	} else if stands != "" {
		d.fields = set(d.fields, d.body.Field, nil)
	}
}

// block is ours in the description, as it was last wanted.
func (a *activity) block(field string) string {
	v, _ := find(a.Fields, field)
	if s := textOf(v); a.BlockAt >= 0 && a.BlockLen > 0 && a.BlockAt+a.BlockLen <= int64(len(s)) {
		return s[a.BlockAt : a.BlockAt+a.BlockLen]
	}
	return ""
}

// hashOf stands for a text that is compared only: it stands in the call, too.
func hashOf(text string) []byte {
	if text == "" {
		return nil
	}
	h := sha256.Sum256([]byte(text))
	return h[:16]
}

// changed is what of a draft the CRM does not have, or is not to have any more. An
// owner is never taken away, nor is what nobody sets any more (B32).
func changed(had []schemas.Field, d *draft) (out []schemas.Field) {
	for _, f := range d.fields {
		old, ok := find(had, f.Name)
		if !ok || blank(old) != blank(f.Value) || !blank(old) && *old != *f.Value {
			out = append(out, f)
		}
	}
	for _, f := range had {
		if _, ok := find(d.fields, f.Name); !ok && !blank(f.Value) && f.Name != d.ownerField && (d.sets == nil || d.sets(f.Name)) {
			out = set(out, f.Name, nil)
		}
	}
	return out
}

// ask reads what stands in the description before it is written anew: a rep may have
// typed there. What else has changed goes with it, as one update.
func (w *world) ask(a *activity, d *draft) {
	if a.AskedAt == 0 {
		a.AskedAt = w.tx.Now
		w.indexActivity(a, d.key) // a late answer taught the id, and knew no account
		w.want.Reads = append(w.want.Reads, pipeline.Read{Provider: a.Provider, Account: a.Account, Object: a.Object, ID: a.ID, Urgent: true})
		w.timer(a.AskedAt+hearWithin, timerUnheard, a.Provider+"\x00"+d.key)
	}
	if a.Status != schemas.StatusPending {
		a.Status, a.Reason = schemas.StatusPending, ""
		w.publishRecord(a, d.table, d.local, d.began)
	}
}

func (w *world) heardOf(a *activity, key string) {
	if a.AskedAt != 0 {
		w.tx.Cancel(pipeline.Timer{Due: a.AskedAt + hearWithin, Tenant: w.t.Name(), Kind: timerUnheard, ID: a.Provider + "\x00" + key})
		a.AskedAt = 0
	}
}

// activityRead takes over what a CRM says of a record that one of ours stands in; ok is
// false where none does.
func (w *world) activityRead(c *schemas.CRMChange, deleted bool, fields []schemas.Field) (ok bool, err error) {
	key, ok, err := w.text(kindActivity, w.linkID(c.Provider, c.Object, c.ID))
	if err != nil || !ok {
		return false, err
	}
	if deleted {
		return true, w.activityGone(c.Provider, key, "it was deleted in the CRM")
	}
	o, err := w.standsFor(key)
	if err != nil || o == nil {
		return true, err
	}
	a := o.at(c.Provider)
	if a == nil {
		return true, nil
	}
	moved, err := w.movedAlong(a, fields)
	if err != nil || a.AskedAt == 0 && !moved {
		return true, err // nobody waits for it
	}
	if a.AskedAt == 0 {
		return true, o.decide(w)
	}
	w.heard = &heard{provider: c.Provider, key: key}
	if pr, ok := w.profile(c.Provider); ok {
		if v, ok := find(fields, bodyField(pr, c.Object)); ok && v != nil {
			w.heard.body = *v
		}
	}
	return true, o.decide(w)
}

// unheard goes on where the CRM did not say in time what stands in a description: a
// late edit must not wait for ever.
func (w *world) unheard(id string) error {
	provider, key, _ := strings.Cut(id, "\x00")
	o, err := w.standsFor(key)
	if err != nil || o == nil {
		return err
	}
	if a := o.at(provider); a == nil || a.AskedAt == 0 {
		return nil
	}
	w.heard = &heard{provider: provider, key: key}
	return o.decide(w)
}

func bodyField(pr *profile.Profile, object string) string {
	if pr.Activity.Object == object {
		return pr.Activity.Body.Field
	}
	for i := range pr.Targets {
		if pr.Targets[i].Object == object {
			return pr.Targets[i].Body.Field
		}
	}
	return ""
}

// activityGone notes that an activity was deleted in the CRM (B13).
func (w *world) activityGone(provider, key, why string) error {
	o, err := w.standsFor(key)
	if err != nil || o == nil {
		return err
	}
	a := o.at(provider)
	if a == nil || a.Status == schemas.StatusCRMDeleted {
		return nil
	}
	w.heardOf(a, key)
	a.Status, a.Reason, a.At = schemas.StatusCRMDeleted, why, w.tx.Now
	o.save(w, a, true)
	return nil
}

// stands is a call or an event whose activity stands in a CRM.
type stands interface {
	at(provider string) *activity
	decide(w *world) error
	// save stores it after a has changed, and publishes it; shown: a's own record, too.
	save(w *world, a *activity, shown bool)
	keep(w *world) // stores it
}

// standsFor loads what an outbox key is of; nil if that is not known any more.
func (w *world) standsFor(key string) (stands, error) {
	if id, ok := strings.CutPrefix(key, callKey("")); ok {
		if c, found, err := get(w, calls, kindCall, id); err != nil || found {
			return (*loggedCall)(c), err
		}
	} else if id, ok := strings.CutPrefix(key, happeningKey("")); ok {
		if h, found, err := get(w, happenings, kindHappening, id); err != nil || found {
			return (*loggedHappening)(h), err
		}
	}
	return nil, nil
}

type loggedCall call

func (c *loggedCall) at(provider string) *activity { return (*call)(c).activity(provider) }
func (c *loggedCall) decide(w *world) error        { return w.decide((*call)(c)) }
func (c *loggedCall) keep(w *world)                { put(w, calls, kindCall, c.Event.CallID, (*call)(c)) }
func (c *loggedCall) save(w *world, a *activity, shown bool) {
	k := (*call)(c)
	if shown {
		w.publishRecord(a, tableCalls, k.Event.CallID, k.Event.StartedAt)
	}
	k.overall()
	put(w, calls, kindCall, k.Event.CallID, k)
	w.publishCall(k)
}

// settleActivity takes over how a write of an activity ended.
func (w *world) settleActivity(st *pipeline.Settlement) error {
	o, err := w.standsFor(st.Key)
	if err != nil || o == nil {
		return err
	}
	a := o.at(st.Provider)
	if a == nil || a.Account != st.Account {
		return nil
	}
	if st.ID != "" {
		a.ID = st.ID
		w.indexActivity(a, st.Key)
	}
	if st.URL != "" {
		a.URL = st.URL
	}
	if st.Dropped {
		a.drop(st)
		o.keep(w)
		return nil
	}
	if c, is := o.(*loggedCall); is && st.Status == schemas.StatusCRMDeleted && a.ID == "" && len(c.Activities) == 1 {
		return w.neverLogged((*call)(c), a)
	}
	newest := st.Revision >= a.Revision // nothing newer waits
	if newest {
		a.Status, a.Reason, a.At, a.Ended = st.Status, st.Message, w.tx.Now, st.Status
		switch {
		case st.Status == schemas.StatusSynced && a.AskedAt != 0:
			a.Status, a.Reason = schemas.StatusPending, "" // an edit waits for what stands there
		case st.Status == schemas.StatusSynced:
			a.Reason = ""
		case st.Status == schemas.StatusCRMDeleted:
			w.heardOf(a, st.Key)
		case st.Code != "":
			w.refusedBy(a.Person, st.Code)
		}
	}
	o.save(w, a, newest || a.Local && a.ID != "")
	return nil
}

// indexActivity makes an activity found by its id in the CRM.
func (w *world) indexActivity(a *activity, key string) {
	w.setText(kindActivity, w.linkID(a.Provider, a.Object, a.ID), key)
}

const (
	tableCalls  = "call_activities"
	tableEvents = "events"
)

// localRecord is the key on sync.records of what has no id in the CRM yet.
func (w *world) localRecord(provider, object, table, id string) string {
	return w.t.Name() + "/" + provider + "/" + object + "/local:" + table + ":" + id
}

// publishRecord shows the state of one activity on sync.records: under its local
// name until the CRM has given it an id.
func (w *world) publishRecord(a *activity, table, id string, began int64) {
	// Under another key now: whoever reads the topic forgets the local one.
	rekeyed := a.ID != "" && a.Local
	a.Local = a.ID == ""
	r := &schemas.SyncRecord{Tenant: w.t.Name(), Provider: a.Provider, ObjectType: a.Object, RecordID: a.ID, LocalRecordID: id, LocalTable: table,
		Direction: "outbound", Status: a.Status, CreatedAt: began, UpdatedAt: w.tx.Now}
	local := w.localRecord(a.Provider, a.Object, table, id)
	r.ID = local
	if a.ID != "" {
		r.ID = w.t.Name() + "/" + a.Provider + "/" + a.Object + "/" + a.ID
	}
	if a.Status == schemas.StatusSynced {
		at := w.tx.Now
		r.LastSyncedAt = &at
	}
	if rekeyed {
		w.tx.Emit(schemas.TopicSyncRecords, local, nil)
	}
	if why := a.why(); why != "" {
		r.ErrorMessage = &why
	}
	w.tx.Emit(schemas.TopicSyncRecords, r.ID, r)
}
