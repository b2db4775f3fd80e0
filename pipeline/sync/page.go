package sync

import (
	"strings"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// pageEnd notes that an object was read to its end: what pages bring before that is
// the initial load, and published as a snapshot (B34).
func (w *world) pageEnd(p *profile.Profile, m *schemas.PageMarker) error {
	src, ok := p.SourceByName(m.Source)
	if !ok || !m.Last {
		return nil
	}
	if strings.HasSuffix(m.Source, profile.Again) {
		w.tx.Store.Delete(w.againMark(p.Provider, src.Object))
		w.timer(w.tx.Now, timerLater, laterLoaded)
		return nil
	}
	had, err := w.mark(kindLoaded, p.Provider+"\x00"+src.Object)
	if err != nil || had {
		return err
	}
	for i := range p.Sources { // of all kinds of record that stand for a person
		if w.lines.Object(p.Provider, p.Sources[i].Object) == nil {
			continue
		}
		if done, err := w.loaded(p.Provider, p.Sources[i].Object); err != nil || !done {
			return err
		}
	}
	if w.lines.Object(p.Provider, src.Object) != nil {
		w.timer(w.tx.Now, timerLater, laterLoaded)
	}
	return nil
}

func (w *world) loaded(provider, object string) (bool, error) {
	_, ok, err := w.tx.Store.Get(w.t.Key(kindLoaded, provider+"\x00"+object))
	return ok, err
}

// loading reports whether a kind of record is being read for the first time.
func (w *world) loading(p *profile.Profile, object string) (bool, error) {
	for i := range p.Sources {
		if p.Sources[i].Object == object {
			loaded, err := w.loaded(p.Provider, object)
			return !loaded, err
		}
	}
	return false, nil
}

// unload says that a CRM is to be read from its beginning again.
func (w *world) unload(provider string) error {
	p, ok := w.profile(provider)
	if !ok {
		return nil
	}
	for i := range p.Sources {
		w.tx.Store.Delete(w.t.Key(kindLoaded, provider+"\x00"+p.Sources[i].Object))
		w.tx.Store.Delete(w.againMark(provider, p.Sources[i].Object))
	}
	return nil
}
