package sync

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/value"
)

const (
	kindDescribed state.Kind = '1' // provider NUL object → described
	kindDrift     state.Kind = '2' // provider NUL object → drift
)

// described is what a CRM said last of the fields of one kind of record.
type described struct {
	Fields []schemas.DescribedField `avro:"fields"` // by name
	Left   int32                    `avro:"left"`   // how many more it has
}

var describeds = value.New[described]("description of a kind of record")

// describe takes over what fields a kind of record has (B38). What is as it was costs
// nothing.
func (w *world) describe(c *schemas.CRMChange) error {
	if c.ID == "" || strings.ContainsRune(c.ID, 0) {
		return pipeline.Rejectf(schemas.ReasonInvalid, "a description of no kind of record")
	}
	id := w.scope(c.Provider) + "\x00" + c.ID
	key := w.t.Key(kindDescribed, id)
	old, known, err := w.tx.Store.Get(key)
	if err != nil {
		return err
	}
	facts := w.facts
	if c.Reference.Deleted { // or it is hidden from us: nothing is known of it any more
		if !known {
			return nil
		}
		w.tx.Store.Delete(key)
		return w.redescribed(facts)
	}
	if len(c.Reference.Described) == 0 {
		return pipeline.Rejectf(schemas.ReasonInvalid, "a description of %s without a field", c.ID)
	}
	d := &described{Fields: slices.Clone(c.Reference.Described), Left: c.Reference.Left}
	slices.SortStableFunc(d.Fields, func(a, b schemas.DescribedField) int { return strings.Compare(a.Name, b.Name) })
	d.Fields = slices.CompactFunc(d.Fields, func(a, b schemas.DescribedField) bool { return a.Name == b.Name })
	raw := describeds.Marshal(d)
	if known && string(old) == string(raw) {
		return nil
	}
	w.tx.Store.Put(key, raw)
	if known {
		was := new(described)
		if err := describeds.Unmarshal(old, was); err != nil {
			return err
		}
		if err := w.newFields(c.Provider, c.ID, was, d); err != nil {
			return err
		}
	}
	return w.redescribed(facts)
}

// redescribed looks at the mapping anew, and says it to whoever connects if the facts are
// others than they were.
func (w *world) redescribed(were []mapping.Fact) error {
	columns := w.columns()
	if err := w.survey(); err != nil || slices.Equal(were, w.facts) {
		return err
	}
	cfg, ok, err := get(w, configs, kindConfig, "")
	if err != nil || !ok {
		return err
	}
	cfg.Facts = w.facts
	put(w, configs, kindConfig, "", cfg)
	if w.columns() == columns {
		return nil
	}
	return w.watch()
}

// descriptions are those of all accounts that the tenant has, in the order of the
// profiles.
func (w *world) descriptions() ([]mapping.Described, error) {
	var ds []mapping.Described
	for _, provider := range w.s.order {
		if !w.configured(provider) {
			continue
		}
		prefix := w.scope(provider) + "\x00"
		err := w.tx.Store.Scan(w.t.Prefix(kindDescribed, prefix), state.Key{}, func(k state.Key, raw []byte) (bool, error) {
			d := new(described)
			if err := describeds.Unmarshal(raw, d); err != nil {
				return false, err
			}
			ds = append(ds, mapping.Described{Provider: provider, Object: k.ID()[len(prefix):], Fields: d.Fields, Partial: d.Left > 0, Left: d.Left})
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return ds, nil
}

// survey compares the configuration with what the CRMs describe: which facts its lines
// have to heed, and what is to be told to people. It makes the mapping under those facts
// the one of this world.
func (w *world) survey() error {
	ds, err := w.descriptions()
	if err != nil {
		return err
	}
	if len(ds) == 0 && len(w.facts) == 0 {
		return w.told(nil)
	}
	plain := w.s.base.Plain(w.cfg)
	facts := w.s.base.Facts(w.cfg, ds)
	for i := range w.facts {
		was := &w.facts[i]
		is := mapping.FactOf(facts, was)
		switch {
		case was.Gone && (is == nil || !is.Gone) && len(plain.Lines(was.Provider, was.Object, was.Field)) > 0:
			back := *was
			if back.Returning = true; !was.Returning {
				w.timer(w.tx.Now, timerFieldBack, fieldID(was))
			}
			if is != nil {
				*is = back
			} else {
				facts = append(facts, back)
			}
		case was.Gone && (is == nil || !is.Gone):
			w.scopeBack(plain, was)
		case was.ReadOnly && !was.Gone && (is == nil || !is.Gone && !is.ReadOnly):
			w.timer(w.tx.Now, timerSendField, fieldID(was))
		}
	}
	w.facts = facts
	w.use(w.s.base.CompileWith(w.cfg, facts))
	drifts := make([]*drift, len(ds))
	for i := range ds {
		if drifts[i], err = w.drifted(plain, &ds[i]); err != nil {
			return err
		}
	}
	return w.told(drifts)
}
