package mem_test

import (
	"testing"

	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/mem"
	"github.com/crmstream/crmstream/state/statetest"
)

func TestConformance(t *testing.T) {
	statetest.Run(t, func(*testing.T) state.DB { return mem.New() })
}
