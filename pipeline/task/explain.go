package task

import (
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/state"
)

// Explainer says why something is as it is; the task that New returns is one.
type Explainer interface {
	// Explain reads one partition's state, at now in ms. The error is sync.ErrNobody
	// where the tenant has nothing of that name.
	Explain(r state.Reader, partition int32, now int64, tenant, what string) (*pipeline.Explanation, error)
}

var _ Explainer = (*task)(nil)

// Explain implements Explainer.
func (t *task) Explain(r state.Reader, partition int32, now int64, tenant, what string) (*pipeline.Explanation, error) {
	tx := pipeline.NewTx(partition, now, r)
	e, err := t.sync.Explain(tx, tenant, what)
	if err != nil {
		return nil, err
	}
	for i := range e.Persons {
		for k := range e.Persons[i].Records {
			at := &e.Persons[i].Records[k]
			if at.Waiting, err = t.deliver.Waiting(tx, tenant, at.Record.Provider, at.Key); err != nil {
				return nil, err
			}
		}
	}
	for i := range e.Calls {
		for k := range e.Calls[i].Activities {
			at := &e.Calls[i].Activities[k]
			if at.Waiting, err = t.deliver.Waiting(tx, tenant, at.Record.Provider, at.Key); err != nil {
				return nil, err
			}
		}
	}
	return e, nil
}
