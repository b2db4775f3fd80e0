package sync

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"sort"
	"strings"

	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/value"
)

const (
	kindRow       state.Kind = '3' // provider NUL object NUL id → row
	kindOfAccount state.Kind = '4' // provider NUL account NUL person: a record of his shows fields of it; owners: ownerwait.go

	rowsAtOnce = 100 // looked at in one tick
)

// row is what is known of a company or a deal (B33): only what is needed to tell what is newer,
// and whether it is news.
type row struct {
	Values  []rowValue `avro:"values"` // by name
	At      int64      `avro:"at"`     // ms, by the CRM's clock: the latest time of all that was said
	Deleted bool       `avro:"deleted"`
	Shown   []byte     `avro:"shown"` // hash of what was published last; empty = nothing is
}

type rowValue struct {
	Name  string  `avro:"name"`
	Value *string `avro:"value"` // in the CRM's form
	At    int64   `avro:"at"`    // ms, by the CRM's clock
}

var rows = value.New[row]("company or deal")

func (r *row) value(name string) (*string, bool) {
	i := sort.Search(len(r.Values), func(i int) bool { return r.Values[i].Name >= name })
	if i < len(r.Values) && r.Values[i].Name == name {
		return r.Values[i].Value, true
	}
	return nil, false
}

// notBefore reports whether a word is not older than another one. CRMs stamp rows by the
// second and events finer: within a second whatever comes later counts.
func notBefore(at, than int64) bool { return at/1000 >= than/1000 }

// hear takes over one value if nothing newer is known of its field.
func (r *row) hear(name string, v *string, at int64, alike func(a, b *string) bool) {
	i := sort.Search(len(r.Values), func(i int) bool { return r.Values[i].Name >= name })
	if i == len(r.Values) || r.Values[i].Name != name {
		r.Values = slices.Insert(r.Values, i, rowValue{Name: name, Value: v, At: at})
		return
	}
	old := &r.Values[i]
	if !notBefore(at, old.At) {
		return
	}
	old.At = max(at, old.At)
	if !alike(old.Value, v) {
		old.Value = v
	}
}

// tableRead applies a company or a deal that was read.
func (w *world) tableRead(p *profile.Profile, t *mapping.Object, c *schemas.CRMChange) error {
	r := c.Record
	if r.MovedTo != nil { // what is left of it is another one's
		if err := w.tableGone(t, c.ID, r.ModifiedAt); err != nil {
			return err
		}
		if r.Deleted { // what was read is the one that is gone
			w.read(p.Provider, t.Name, *r.MovedTo)
			return nil
		}
		c.ID = *r.MovedTo
	}
	if r.Deleted {
		return w.tableGone(t, c.ID, r.ModifiedAt)
	}
	snapshot := r.Cause == schemas.CauseAgain
	if r.Cause == schemas.CausePage {
		done, err := w.loaded(p.Provider, t.Name)
		if err != nil {
			return err
		}
		snapshot = !done
	}
	return w.tableHeard(p, t, c.ID, min(r.ModifiedAt, w.tx.Now), r.Fields, heardHow{snapshot: snapshot, whole: true, present: r.Cause == schemas.KindRead})
}

// heardHow says what a word of a record is worth.
type heardHow struct {
	snapshot bool
	whole    bool // all fields of the record
	present  bool // it was asked for by its id, so that it is there whatever its time
}

// tablePushed applies a change event of a company or a deal. One that is not known yet,
// or was deleted, is read: an update names only what changed.
func (w *world) tablePushed(p *profile.Profile, t *mapping.Object, id string, e *schemas.StreamEvent) error {
	switch e.ChangeType {
	case "CREATE", "UPDATE":
		return w.tableHeard(p, t, id, min(e.ModifiedAt, w.tx.Now), e.Fields, heardHow{whole: e.ChangeType == "CREATE"})
	case "DELETE", "GAP_DELETE":
		return w.tableGone(t, id, e.ModifiedAt)
	}
	w.read(p.Provider, t.Name, id)
	return nil
}

// tableGone publishes that a record is there no more. That it was stays known, so that an
// older word does not bring it back.
func (w *world) tableGone(t *mapping.Object, id string, at int64) error {
	key := w.linkID(t.Provider, t.Name, id)
	r, ok, err := get(w, rows, kindRow, key)
	if err != nil || !ok || r.Deleted {
		return err
	}
	if len(r.Shown) > 0 {
		w.tx.Emit(tableTopic(t.Entity), w.t.Name()+"/"+t.Provider+"/"+id, nil)
	}
	for _, l := range t.Lines {
		if v, known := r.value(l.CRM); known && l.Role == profile.Owner {
			if err := w.ownerLeft(t.Provider, v, t.Name, id); err != nil {
				return err
			}
		}
	}
	put(w, rows, kindRow, key, &row{Deleted: true, At: max(r.At, min(at, w.tx.Now))})
	return nil
}

func (w *world) tableHeard(p *profile.Profile, t *mapping.Object, id string, at int64, fields []schemas.Field, how heardHow) error {
	if id == "" {
		return nil
	}
	key := w.linkID(p.Provider, t.Name, id)
	r, ok, err := get(w, rows, kindRow, key)
	if err != nil {
		return err
	}
	if ok && r.Deleted {
		if at <= r.At && !how.present {
			return nil // from before
		}
		ok = false
	}
	if !ok {
		if !how.whole {
			w.read(p.Provider, t.Name, id)
			return nil
		}
		r = &row{}
	}
	r.At = max(r.At, at)
	renamed := false
	for _, l := range t.Lines {
		v, present := find(fields, l.CRM)
		if !present {
			continue
		}
		old, known := r.value(l.CRM)
		r.hear(l.CRM, v, at, func(a, b *string) bool { return l.Alike(w.env, a, b) })
		now, _ := r.value(l.CRM)
		renamed = renamed || known && !equal(old, now)
		if known && l.Role == profile.Owner && !equal(old, now) {
			if err := w.ownerLeft(p.Provider, old, t.Name, id); err != nil {
				return err
			}
		}
	}
	for i := range t.Scope {
		if v, present := find(fields, t.Scope[i].Field); present {
			r.hear(t.Scope[i].Field, v, at, equal)
		}
	}
	if err := w.tableShow(p, t, id, r, at, how.snapshot); err != nil {
		return err
	}
	put(w, rows, kindRow, key, r)
	if renamed && t.Entity == schemas.EntityAccount {
		w.renamed(p.Provider, id)
	}
	return nil
}

// tableShow publishes a record if what is to be said of it is not what was said (P7).
func (w *world) tableShow(p *profile.Profile, t *mapping.Object, id string, r *row, at int64, snapshot bool) error {
	o := schemas.SyncOpportunity{Tenant: w.t.Name(), Record: schemas.Link{Provider: p.Provider, Object: t.Name, ID: id}, Status: statusActive,
		Provenance: &schemas.Provenance{Origin: p.Provider, EventTime: at, SourceRef: w.ref, Snapshot: snapshot}}
	switch mapping.Judge(t.Scope, r.value) {
	case mapping.Outside:
		if len(r.Shown) == 0 {
			return nil // it never was in it
		}
		o.Status = schemas.StatusOutOfScope
	case mapping.Unjudged: // the CRM does not say: a condition on a field that it lacks is none
	}
	env := w.env
	if v := w.ownCurrency(t, r); v != "" && v != env.Currency {
		own := *env
		own.Currency = v
		env = &own
	}
	for _, l := range t.Lines {
		v, known := r.value(l.CRM)
		if !known {
			continue
		}
		was := w.env
		w.env = env
		nv, why, err := w.inward(l, v)
		w.env = was
		if err != nil {
			return err
		}
		if why != "" {
			o.Warnings = set(o.Warnings, l.Dialer, &why)
		}
		if nv == nil && l.Role == profile.Owner && !blank(v) {
			w.awaitOwner(p.Provider, *v, t.Name, id, at)
			continue // it is not known, which is not the same as empty
		}
		switch l.Dialer {
		case fieldName:
			o.Name = textOf(nv)
		case fieldAccount:
			o.Company = companyOf(p, textOf(nv))
		default:
			o.Fields = set(o.Fields, l.Dialer, nv)
		}
	}
	if t.Entity == schemas.EntityOpportunity {
		if v, ok := find(o.Fields, fieldStage); ok {
			o.Stage, o.Fields = textOf(v), unset(o.Fields, fieldStage)
		}
		if v, ok := find(o.Fields, fieldAmount); ok && !blank(v) {
			if c, _ := find(o.Fields, fieldCurrency); blank(c) { // an amount without one is none (B31)
				code := w.currency()
				o.Fields = set(o.Fields, fieldCurrency, &code)
			}
		}
	}
	shown := digest(&o)
	if slices.Equal(shown, r.Shown) {
		return nil
	}
	r.Shown = shown
	topic, v := tableTopic(t.Entity), any(&o)
	if t.Entity == schemas.EntityAccount {
		v = &schemas.SyncAccount{Tenant: o.Tenant, Record: o.Record, Name: o.Name, Fields: o.Fields, Provenance: o.Provenance, Warnings: o.Warnings, Status: o.Status}
	}
	w.tx.Emit(topic, w.t.Name()+"/"+p.Provider+"/"+id, v)
	return nil
}

// Fields of companies and deals that have a column of their own, or a meaning.
const (
	fieldName     = "name"
	fieldStage    = "stage"
	fieldAmount   = "amount"
	fieldCurrency = "currency"
	fieldAccount  = "account_id"
)

// currency is that of amounts which say none.
func (w *world) currency() string {
	if w.cfg.Currency != "" {
		return w.cfg.Currency
	}
	return "USD"
}

// ownCurrency is the one that the record itself names, "" if none: its amounts are in it.
func (w *world) ownCurrency(t *mapping.Object, r *row) string {
	for _, l := range t.Lines {
		if l.Dialer == fieldCurrency {
			if v, _ := r.value(l.CRM); !blank(v) && mapping.KnownCurrency(*v) {
				return *v
			}
		}
	}
	return ""
}

func companyOf(p *profile.Profile, id string) *schemas.Link {
	for i := range p.Tables {
		if id != "" && p.Tables[i].Entity == schemas.EntityAccount {
			return &schemas.Link{Provider: p.Provider, Object: p.Tables[i].Name, ID: id}
		}
	}
	return nil
}

func tableTopic(entity string) string {
	if entity == schemas.EntityAccount {
		return schemas.TopicSyncAccounts
	}
	return schemas.TopicSyncOpportunities
}

// digest is of all that a record says, but for where it came from.
func digest(o *schemas.SyncOpportunity) []byte {
	h := fnv.New64a()
	say := func(s string) {
		h.Write(binary.AppendUvarint(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	say(o.Name)
	say(o.Stage)
	say(o.Status)
	if o.Company != nil {
		say(o.Company.ID)
	}
	for _, fs := range [][]schemas.Field{o.Fields, o.Warnings} {
		say("")
		for _, f := range fs {
			say(f.Name)
			if f.Value != nil {
				say("=" + *f.Value)
			} else {
				say("")
			}
		}
	}
	return h.Sum(nil)
}

// follow keeps by whom fields of a company are shown; was is the company before.
func (w *world) follow(provider, was, account, person string) {
	if was != "" {
		w.tx.Store.Delete(w.t.Key(kindOfAccount, w.scope(provider)+"\x00"+was+"\x00"+person))
	}
	w.tx.Store.Put(w.t.Key(kindOfAccount, w.scope(provider)+"\x00"+account+"\x00"+person), []byte{1})
}

// renamed says that a company has other values now: records of persons that show them,
// and of which the CRM tells nothing, follow some at a time (P8).
func (w *world) renamed(provider, account string) {
	w.timer(w.tx.Now, timerLater, laterCompany+provider+"\x00"+account+"\x00")
}

// followCompany gives the persons after one the values that their company has now.
func (w *world) followCompany(rest string) error {
	part := strings.SplitN(rest, "\x00", 3)
	p, ok := w.profile(part[0])
	if !ok || len(part) != 3 {
		return nil
	}
	prefix, from := w.scope(p.Provider)+"\x00"+part[1]+"\x00", state.Key{}
	if part[2] != "" {
		from = w.t.Key(kindOfAccount, prefix+part[2])
	}
	var persons []string
	err := w.tx.Store.Scan(w.t.Prefix(kindOfAccount, prefix), from, func(k state.Key, _ []byte) (bool, error) {
		persons = append(persons, k.ID()[len(prefix):])
		return len(persons) < rowsAtOnce, nil
	})
	if err != nil {
		return err
	}
	for _, id := range persons {
		if err := w.showCompany(p, part[1], id); err != nil {
			return err
		}
	}
	if len(persons) == rowsAtOnce {
		w.timer(w.tx.Now+1, timerLater, laterCompany+p.Provider+"\x00"+part[1]+"\x00"+persons[len(persons)-1])
	}
	return nil
}

// showCompany tells a person's records what their company is, as if the CRM had.
func (w *world) showCompany(p *profile.Profile, account, person string) error {
	ps, ok, err := w.load(person)
	if err != nil || !ok {
		return err
	}
	for _, l := range slices.Clone(ps.Links) {
		o := w.lines.Object(p.Provider, l.Object)
		if l.Provider != p.Provider || l.Account != account || l.Deleted || o == nil || o.Follows == "" {
			continue
		}
		r, at, err := w.companyRow(p, account)
		if err != nil || r == nil {
			return err
		}
		var fields []schemas.Field
		for _, m := range o.Lines {
			name, ok := strings.CutPrefix(m.CRM, o.Follows)
			if !ok || !m.Inbound() {
				continue
			}
			if v, known := r.value(name); known {
				fields = set(fields, m.CRM, v)
			}
		}
		if err := w.merge(p, l.Object, l.ID, at, fields, saying{part: true}); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) companyRow(p *profile.Profile, account string) (*row, int64, error) {
	link := companyOf(p, account)
	if link == nil {
		return nil, 0, nil
	}
	r, ok, err := get(w, rows, kindRow, w.linkID(p.Provider, link.Object, account))
	if err != nil || !ok || r.Deleted {
		return nil, 0, err
	}
	return r, r.At, nil
}

// dropRows publishes that the companies and deals after one are gone which were in
// accounts that have been replaced, or of which the tenant syncs none any more, some at a
// time (P8).
func (w *world) dropRows(after string) error {
	from := state.Key{}
	if after != "" {
		from = w.t.Key(kindRow, after)
	}
	var ids []string
	var shown []bool
	err := w.tx.Store.Scan(w.t.Prefix(kindRow, ""), from, func(k state.Key, raw []byte) (bool, error) {
		var r row
		if err := rows.Unmarshal(raw, &r); err != nil {
			return false, err
		}
		ids, shown = append(ids, k.ID()), append(shown, len(r.Shown) > 0)
		return len(ids) < rowsAtOnce, nil
	})
	if err != nil {
		return err
	}
	for i, id := range ids {
		part := strings.SplitN(id, "\x00", 3)
		provider, _, _ := strings.Cut(part[0], "~")
		if len(part) != 3 || part[0] == w.scope(provider) && w.lines.Table(provider, part[1]) != nil {
			continue
		}
		w.tx.Store.Delete(w.t.Key(kindRow, id))
		p, ok := w.profile(provider)
		if !ok || !shown[i] {
			continue
		}
		now, ok, err := get(w, rows, kindRow, w.linkID(provider, part[1], part[2]))
		if err != nil {
			return err
		}
		if ok && len(now.Shown) > 0 {
			continue // the new account has one of that id, which stands there already
		}
		if t, ok := p.TableByName(part[1]); ok {
			w.tx.Emit(tableTopic(t.Entity), w.t.Name()+"/"+provider+"/"+part[2], nil)
		}
	}
	if len(ids) == rowsAtOnce {
		w.timer(w.tx.Now+1, timerLater, laterRows+ids[len(ids)-1])
	}
	return nil
}
