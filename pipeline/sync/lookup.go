package sync

import (
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/state"
)

const (
	kindAskedFor  state.Kind = '8' // provider NUL number: the CRM was asked for it
	timerAskedFor byte       = '8' // the same: it may be asked again
	askAgainAfter            = day
)

// lookUp asks the CRMs for the persons with a number that nobody has, each once a day
// whatever number of calls wait for it (B3). Whom they find comes in as any record does.
func (w *world) lookUp(number string) error {
	if w.cfg.Calls.NoLookup {
		return nil
	}
	for _, provider := range w.s.order {
		p, _ := w.profile(provider)
		a := w.account(provider)
		if a == nil || !p.FindsByPhone {
			continue
		}
		id := w.scope(provider) + "\x00" + number
		if asked, err := w.mark(kindAskedFor, id); err != nil {
			return err
		} else if asked {
			continue
		}
		w.timer(w.tx.Now+askAgainAfter, timerAskedFor, id)
		w.want.Reads = append(w.want.Reads, pipeline.Read{Provider: provider, Account: a.ID, Phone: number, National: phone.National(number)})
	}
	return nil
}

// askedForNoMore lets a number be asked for again.
func (w *world) askedForNoMore(id string) { w.tx.Store.Delete(w.t.Key(kindAskedFor, id)) }
