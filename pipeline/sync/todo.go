package sync

import (
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// todo lists, once for each word, that a CRM has nothing for a word of the dialer, and
// takes it off the list once it has: somebody made it there, or the tenant mapped it.
func (w *world) todo(what, kind, field, key, word string, c *call, l *link, mapped bool) error {
	id := what + ":" + l.Provider + ":" + strings.ReplaceAll(key, "\x00", "")
	raw, open, err := w.tx.Store.Get(w.t.Key(kindTodo, id))
	if err != nil || open != mapped {
		return err
	}
	item := &schemas.SyncConflict{Tenant: w.t.Name(), ConflictID: id, Kind: kind, PersonID: c.Person, Field: field, DialerValue: &word,
		Record: schemas.Link{Provider: l.Provider, Object: l.Object, ID: l.ID}, Status: "open", OpenedAt: w.tx.Now,
		Provenance: &schemas.Provenance{Origin: dialer, EventTime: c.Event.StartedAt, SourceRef: c.Ref}}
	if mapped {
		item.Status = "resolved"
		if item.OpenedAt, err = msOf(raw); err != nil {
			return err
		}
		w.tx.Store.Delete(w.t.Key(kindTodo, id))
	} else {
		w.setText(kindTodo, id, ms(w.tx.Now))
	}
	w.tx.Emit(schemas.TopicSyncConflicts, w.t.Name()+"/"+id, item)
	return nil
}

// todoRep lists a rep whom the CRM has no active user for. Before its users were read
// once nobody knows that.
func (w *world) todoRep(c *call, l *link, pr *profile.Profile) error {
	for i := range pr.Sources {
		if pr.Sources[i].Object == "owner" {
			if read, err := w.loaded(pr.Provider, "owner"); err != nil || !read {
				return err
			}
		}
	}
	email := normalEmail(c.Event.AgentEmail)
	return w.todo("rep", "unmapped_rep", "agent_email", email, c.Event.AgentEmail, c, l, false)
}

// repFound takes a rep off the list.
func (w *world) repFound(c *call, l *link) error {
	return w.todo("rep", "unmapped_rep", "agent_email", normalEmail(c.Event.AgentEmail), c.Event.AgentEmail, c, l, true)
}

// msOf reads what ms wrote, behind a version byte.
func msOf(raw []byte) (int64, error) {
	if len(raw) < 2 {
		return 0, pipeline.ErrCorrupt
	}
	return parseMs(string(raw[1:]))
}
