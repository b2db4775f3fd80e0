package sim

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// change is one step of a transaction, as it is logged.
type change struct {
	Op     string            `json:"op"`
	Object string            `json:"o"`
	ID     int64             `json:"i"`
	Props  map[string]string `json:"p,omitempty"`
	To     string            `json:"to,omitempty"`
	ToID   int64             `json:"ti,omitempty"`
	Specs  []spec            `json:"s,omitempty"` // what is known of the pair afterwards, seen from Object
	Merged []int64           `json:"m,omitempty"` // what went into a record, the primary one first
}

const (
	opCreate  = "create"
	opUpdate  = "update"
	opArchive = "archive"
	opRestore = "restore"
	opErase   = "erase"
	opLink    = "link"
	opUnlink  = "unlink"
	opMerge   = "merge" // of the record that came of it
)

// source is who makes a change, as webhooks tell it.
type source struct {
	kind string // INTEGRATION, CRM_UI
	id   string // "1512050", "userId:77"
}

// tx is a transaction in the making: its changes are in the tables, and rollback takes them out again. The portal's mutex is held
// from begin to commit or rollback.
type tx struct {
	p       *portal
	by      source
	at      int64
	changes []change
	undo    []func()
}

func (p *portal) begin(by source) *tx {
	return &tx{p: p, by: by, at: p.srv.cfg.Now().UnixMilli()}
}

// mark and back undo what came after a mark: one input of a batch.
func (t *tx) mark() (changes, undo int) { return len(t.changes), len(t.undo) }

func (t *tx) back(changes, undo int) {
	for len(t.undo) > undo {
		t.undo[len(t.undo)-1]()
		t.undo = t.undo[:len(t.undo)-1]
	}
	t.changes = t.changes[:changes]
}

func (t *tx) rollback() { t.back(0, 0) }

// commit logs the changes with the events they raise and queues these for delivery. After an error nothing has happened.
func (t *tx) commit() error {
	if len(t.changes) == 0 {
		return nil
	}
	line := &logTx{At: t.at, Changes: t.changes}
	last := t.p.lastEvent
	for i := range t.changes {
		line.Events = append(line.Events, t.p.eventsOf(t, &t.changes[i])...)
	}
	if _, err := t.p.log.Append(logLine{Tx: line}); err != nil {
		t.p.lastEvent = last
		t.rollback()
		return fmt.Errorf("committing: %w", err)
	}
	t.p.enqueue(line.Events)
	return nil
}

// end commits, or takes everything back where what was to be done failed with err.
func (t *tx) end(err error) error {
	if err != nil {
		t.rollback()
		return err
	}
	return t.commit()
}

// put stores a new version of a record and remembers the old one.
func (t *tx) put(tab *table, r *record) {
	old := tab.rows[r.id]
	tab.put(r)
	t.undo = append(t.undo, func() {
		if old == nil {
			tab.drop(r.id)
		} else {
			tab.put(old)
		}
	})
}

// create makes a record of a request's properties.
func (t *tx) create(tab *table, in map[string]text) (*record, error) {
	props, err := t.p.checkProps(tab, in, nil)
	if err != nil {
		return nil, err
	}
	if tab.ot.name == "calls" && props["hs_timestamp"] == "" {
		return nil, plainBadRequest("Error creating CALL. Some required properties were not set.")
	}
	maps.DeleteFunc(props, func(_, v string) bool { return v == "" })
	if err := t.checkUnique(tab, props, 0); err != nil {
		return nil, err
	}
	id := t.p.nextID()
	t.p.initial(tab.ot, t, id, props)
	r := &record{ot: tab.ot, id: id, props: props, created: t.at, updated: t.at}
	t.put(tab, r)
	t.changes = append(t.changes, change{Op: opCreate, Object: tab.ot.name, ID: id, Props: props})
	return r, nil
}

// update changes a record and returns it with the names of what was set or recalculated.
func (t *tx) update(tab *table, old *record, in map[string]text) (*record, []string, error) {
	props, err := t.p.checkProps(tab, in, old)
	if err != nil {
		return nil, nil, err
	}
	if err := t.checkUnique(tab, props, old.id); err != nil {
		return nil, nil, err
	}
	names := make([]string, 0, len(props)+3)
	for name := range in {
		names = append(names, name)
	}
	derive(tab.ot, t, props)
	props[tab.ot.modified] = strconv.FormatInt(t.at, 10)
	n := old.next(t.at, t.p.indexed(t.at))
	changed := map[string]string{}
	for name, v := range props {
		if was, set := old.props[name]; was != v || !set && v != "" {
			n.props[name], changed[name] = v, v
		}
		names = append(names, name)
	}
	t.put(tab, n)
	t.changes = append(t.changes, change{Op: opUpdate, Object: tab.ot.name, ID: old.id, Props: changed})
	return n, names, nil
}

func (t *tx) archive(tab *table, old *record) {
	n := old.next(t.at, t.p.indexed(t.at))
	n.archived, n.archivedAt = true, t.at
	t.put(tab, n)
	t.changes = append(t.changes, change{Op: opArchive, Object: tab.ot.name, ID: old.id})
}

// erase deletes a record for privacy: its values are gone, and it can't be restored. A new one with the same e-mail may be made by the API.
func (t *tx) erase(tab *table, old *record) {
	n := old.next(t.at, t.p.indexed(t.at))
	n.forget(t.at)
	t.put(tab, n)
	t.changes = append(t.changes, change{Op: opErase, Object: tab.ot.name, ID: old.id})
}

func (r *record) forget(at int64) {
	r.archived, r.archivedAt = true, at
	r.props = map[string]string{"hs_object_id": r.props["hs_object_id"]}
}

func (r *record) forgotten() bool { return r.archived && len(r.props) == 1 }

func (t *tx) restore(tab *table, old *record) error {
	if old.forgotten() {
		return notFound(strconv.FormatInt(old.id, 10))
	}
	if err := t.checkUnique(tab, old.props, old.id); err != nil {
		return err
	}
	n := old.next(t.at, t.p.indexed(t.at))
	n.archived, n.archivedAt = false, 0
	t.put(tab, n)
	t.changes = append(t.changes, change{Op: opRestore, Object: tab.ot.name, ID: old.id})
	return nil
}

// checkUnique refuses a unique value that another live record has. A create with a known e-mail is a 409; the rest is a 400.
func (t *tx) checkUnique(tab *table, props map[string]string, self int64) error {
	for name := range tab.unique {
		v := props[name]
		if v == "" {
			continue
		}
		other := tab.byKey(name, v)
		if other == nil || other.id == self {
			continue
		}
		message := fmt.Sprintf("Cannot set property %q: record %d already has the value %q", name, other.id, v)
		if name == "email" {
			message = fmt.Sprintf("Contact already exists. Existing ID: %d", other.id)
			if self == 0 {
				e := newError(http.StatusConflict, "CONFLICT", "%s", message)
				e.existing = other.id
				return e
			}
		}
		e := invalidValues([]invalidValue{{Message: message, Error: "CONFLICTING_UNIQUE_VALUE", Name: name, LocalizedMessage: message, PortalID: t.p.id}})
		e.existing = other.id
		return e
	}
	return nil
}

// initial adds what the vendor sets on every new record.
func (p *portal) initial(ot *objectType, t *tx, id int64, props map[string]string) {
	at, self := strconv.FormatInt(t.at, 10), strconv.FormatInt(id, 10)
	props["hs_object_id"] = self
	props[ot.created], props[ot.modified] = at, at
	props["hs_object_source"] = t.by.kind
	props["hs_object_source_id"] = t.by.id
	props["hs_object_source_label"] = t.by.kind
	derive(ot, t, props)
	switch ot.name {
	case "contacts":
		props["hs_all_contact_vids"] = self
		props["hs_is_contact"] = "true"
		props["hs_is_unworked"] = "true"
		props["hs_pipeline"] = "contacts-lifecycle-pipeline"
		props["num_notes"] = "0"
		if props["lifecyclestage"] == "" {
			props["lifecyclestage"] = "lead"
		}
	case "calls":
		props["hs_obj_coords"] = ot.id + "-" + self
		props["hs_connected_count"] = "0"
		props["hs_voicemail_count"] = "0"
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

// derive recalculates what depends on the values being set.
func derive(ot *objectType, t *tx, props map[string]string) {
	if email, ok := props["email"]; ok && ot.name == "contacts" {
		_, props["hs_email_domain"], _ = strings.Cut(email, "@")
	}
	for name, searched := range searchedNumbers {
		if v, ok := props[name]; ok && ot.name == "contacts" {
			props[searched] = dialledWithin(v)
		}
	}
	if stage, ok := props["dealstage"]; ok && ot.name == "deals" {
		won := stage == "closedwon"
		props["hs_is_closed"] = strconv.FormatBool(won || stage == "closedlost")
		props["hs_is_closed_won"] = strconv.FormatBool(won)
	}
	if owner, ok := props["hubspot_owner_id"]; ok {
		props["hubspot_owner_assigneddate"] = strconv.FormatInt(t.at, 10)
		if ot.name == "calls" {
			props["hs_all_owner_ids"] = owner
		}
	}
	if body, ok := props["hs_call_body"]; ok {
		props["hs_body_preview"] = strings.TrimSpace(html.UnescapeString(tags.ReplaceAllString(body, "")))
		props["hs_body_preview_html"] = body
		props["hs_body_preview_is_truncated"] = "false"
	}
}

// searchedNumbers are the properties that a search by number is to be done in, by those that they follow.
var searchedNumbers = map[string]string{"phone": "hs_searchable_calculated_phone_number", "mobilephone": "hs_searchable_calculated_mobile_number"}

// dialledWithin is a number as the search knows it: the digits that are dialled within its country, which is the portal's, the United
// States, where the number does not say.
func dialledWithin(v string) string {
	n, err := phonenumbers.Parse(v, "US")
	if err != nil {
		return ""
	}
	return phonenumbers.GetNationalSignificantNumber(n)
}

// redo applies a logged transaction to the tables.
func (p *portal) redo(l *logTx) error {
	for _, c := range l.Changes {
		tab := p.tables[typeNamed(c.Object)]
		if tab == nil {
			return fmt.Errorf("unknown object %q", c.Object)
		}
		if c.Op == opCreate || c.Op == opMerge {
			p.lastID = max(p.lastID, c.ID)
			tab.put(&record{ot: tab.ot, id: c.ID, props: c.Props, created: l.At, updated: l.At})
			tab.moved(c.Merged, c.ID)
			continue
		}
		old := tab.rows[c.ID]
		if old == nil {
			return fmt.Errorf("%s of %s %d, which does not exist", c.Op, c.Object, c.ID)
		}
		if c.Op == opLink || c.Op == opUnlink {
			to := typeNamed(c.To)
			if to == nil {
				return fmt.Errorf("unknown object %q", c.To)
			}
			p.setLink(node{tab.ot, c.ID}, node{to, c.ToID}, c.Specs)
			continue
		}
		n := old.next(l.At, p.indexed(l.At))
		switch c.Op {
		case opUpdate:
			maps.Copy(n.props, c.Props)
		case opArchive:
			n.archived, n.archivedAt = true, l.At
		case opErase:
			n.forget(l.At)
		case opRestore:
			n.archived, n.archivedAt = false, 0
		default:
			return fmt.Errorf("unknown change %q", c.Op)
		}
		tab.put(n)
	}
	for _, e := range l.Events {
		p.lastEvent = max(p.lastEvent, e.EventID)
	}
	p.enqueue(l.Events)
	return nil
}
