package task

import (
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/state"
)

// Describer says what fields the CRMs of a tenant have; the task that New returns is one.
type Describer interface {
	// Fields reads one partition's state, at now in ms. The error is sync.ErrNobody where the
	// tenant is not configured.
	Fields(r state.Reader, partition int32, now int64, tenant string) (*pipeline.Fields, error)
}

var _ Describer = (*task)(nil)

// Fields implements Describer.
func (t *task) Fields(r state.Reader, partition int32, now int64, tenant string) (*pipeline.Fields, error) {
	return t.sync.Fields(pipeline.NewTx(partition, now, r), tenant)
}
