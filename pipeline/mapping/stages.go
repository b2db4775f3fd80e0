package mapping

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline/near"
)

// stages looks whether the CRM has the stages that a configuration names, where its
// description lists them all.
func (k *compiler) stages(d *Described) {
	p := k.profile(d.Provider)
	if p == nil || p.Deal.Object != d.Object || !p.Deal.Listed {
		return
	}
	f := d.Field(p.Deal.Stage)
	if f == nil || len(f.Values) == 0 || f.MoreValues {
		return
	}
	look := func(list string, i int, part, stage string) {
		if stage != "" && !slices.ContainsFunc(f.Values, func(v string) bool { return strings.EqualFold(v, stage) }) {
			k.ps = append(k.ps, Problem{List: list, Index: i, Part: part, What: d.Provider + "." + d.Object + " has no stage " + quote(stage),
				Mend: near.DidYouMean(stage, f.Values), Warning: true})
		}
	}
	for i, r := range k.cfg.Stages {
		if r.Provider == d.Provider && r.Object == d.Object {
			look("stages", i, "to", r.To)
			for _, from := range r.From {
				look("stages", i, "from", from)
			}
		}
	}
	for i, r := range k.cfg.Dispositions {
		if r.Provider == d.Provider && r.StageObject == d.Object {
			look("dispositions", i, "stage", r.Stage)
		}
	}
}
