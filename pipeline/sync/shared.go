package sync

import (
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// heardByOthers lets the lines hear what a CRM took that only read the field it was written
// to: what is known of a field is known once, so the CRM's own word of it would be no news
// to them (P7).
func (w *world) heardByOthers(e *edit, l *link, o *mapping.Object, f *schemas.Field) error {
	writer := writerOf(o, f.Name)
	if writer == nil {
		return nil
	}
	from, has := e.p.field(writer.Dialer)
	if !has {
		return nil
	}
	e.origin, e.at = l.Provider, min(from.At, w.tx.Now)
	for _, m := range o.Lines {
		if m.CRM != f.Name || m.Outbound() || !m.Inbound() || m.Role == profile.DoNotCall || m.Role == profile.Owner {
			continue
		}
		v, why, err := w.inward(m, f.Value)
		if err != nil {
			return err
		}
		w.warn(e, l, m, why)
		w.take(e, m.Dialer, m, v, &hearing{l: l})
	}
	return nil
}
