package tenants

import (
	"sort"

	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Touched is what a new mapping would write to one kind of record beside the present
// one.
type Touched struct {
	Provider, Object string
	Records          int
	// Requests is how many API calls that takes, batches full.
	Requests int
	// Samples are some of the changes.
	Samples []Sample
}

// Sample is one field of one record, before and after; "" = nothing is written.
type Sample struct {
	Person, Record, Field string
	Before, After         string
	Why                   string // why a value is not written; "" if it is
}

// samplesOf is how many samples are kept of each kind of record.
const samplesOf = 5

// Preview compares what two mappings write of a tenant's people (B32).
type Preview struct {
	old, new *mapping.Compiled
	scripts  mapping.Scripts
	limits   map[string]int // provider → records of one request
	touched  map[[2]string]*Touched
	// Refused counts values that the new mapping would not write, and the old one did.
	Refused int
}

// NewPreview returns a Preview that has seen nobody.
func NewPreview(old, new *mapping.Compiled, scripts mapping.Scripts, profiles []*profile.Profile) *Preview {
	p := &Preview{old: old, new: new, scripts: scripts, limits: make(map[string]int), touched: make(map[[2]string]*Touched)}
	for _, pr := range profiles {
		p.limits[pr.Provider] = max(1, pr.Limits.Update)
	}
	return p
}

// Person takes one person in: what is on sync.contacts last.
func (p *Preview) Person(c *schemas.SyncContact) {
	for _, link := range c.Links {
		before, _ := written(p.old, p.scripts, c, link)
		after, why := written(p.new, p.scripts, c, link)
		names := make(map[string]bool)
		for n := range before {
			names[n] = true
		}
		for n := range after {
			names[n] = true
		}
		var changed []string
		for n := range names {
			if _, still := after[n]; before[n] != after[n] && (still || why[n] != "") { // taking a line out clears nothing
				changed = append(changed, n)
			}
		}
		if len(changed) == 0 {
			continue
		}
		sort.Strings(changed)
		k := [2]string{link.Provider, link.Object}
		t := p.touched[k]
		if t == nil {
			t = &Touched{Provider: link.Provider, Object: link.Object}
			p.touched[k] = t
		}
		writes := false
		for _, n := range changed {
			if why[n] != "" {
				p.Refused++
			} else {
				writes = true
			}
			if len(t.Samples) < samplesOf {
				t.Samples = append(t.Samples, Sample{Person: c.PersonID, Record: link.ID, Field: n, Before: before[n], After: after[n], Why: why[n]})
			}
		}
		if writes {
			t.Records++
		}
	}
}

// written is what a mapping writes of a person to one record, and why it does not.
func written(m *mapping.Compiled, scripts mapping.Scripts, c *schemas.SyncContact, link schemas.Link) (values, why map[string]string) {
	values, why = make(map[string]string), make(map[string]string)
	o := m.Object(link.Provider, link.Object)
	if o == nil {
		return values, why
	}
	env := m.Env
	env.Scripts = scripts
	for _, l := range o.Lines {
		if !l.Outbound() || l.Role == profile.DoNotCall {
			continue
		}
		v := valueOf(c, l.Dialer)
		if v == nil || *v == "" {
			continue
		}
		out, err := l.Out(&env, v)
		switch {
		case err != nil:
			why[l.CRM] = err.Error()
		case out != nil:
			values[l.CRM] = *out
		}
	}
	return values, why
}

func valueOf(c *schemas.SyncContact, field string) *string {
	for i := range c.Fields {
		if c.Fields[i].Name == field {
			return c.Fields[i].Value
		}
	}
	return nil
}

// Touched is what was found, by CRM and kind of record.
func (p *Preview) Touched() []Touched {
	var all []Touched
	for _, t := range p.touched {
		t.Requests = (t.Records + p.limits[t.Provider] - 1) / p.limits[t.Provider]
		all = append(all, *t)
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].Provider < all[j].Provider || all[i].Provider == all[j].Provider && all[i].Object < all[j].Object
	})
	return all
}
