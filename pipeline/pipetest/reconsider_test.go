package pipetest

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// P8: a configuration that lets everything go that is held, by leads for numbers that nobody
// has, does it some calls at a time: no transaction grows with what is held, and none is
// left over. A million calls are as many transactions more.
func TestAConfigurationReleasesSomeCallsAtATime(t *testing.T) {
	const held, most = 10_000, 100
	m := NewMachine(Profiles(), day+9*3600*1000)
	step := func(topic string, v any) Happened {
		t.Helper()
		h, err := m.Step(&pipeline.Record{Topic: topic, Tenant: "acme", Timestamp: m.Now, Decoded: v})
		if err != nil || h.Rejected != nil {
			t.Fatal(err, h.Rejected)
		}
		return h
	}
	config := func(version int64, lead bool) *schemas.TenantConfig {
		return &schemas.TenantConfig{Tenant: "acme", Version: version, TimeZone: "UTC", Country: "US", Accounts: []schemas.Account{{Provider: "sf", ID: "org"}}, Calls: schemas.CallPolicy{CreateLead: lead}}
	}
	step(schemas.TopicControlTenants, config(1, false))
	seconds := int32(10)
	for i := range held {
		step(schemas.TopicDialerCalls, &schemas.CallEvent{CallID: "c" + strconv.Itoa(i), Revision: 1, StartedAt: m.Now - 60_000, DurationSeconds: &seconds, Direction: schemas.Outbound,
			ToNumber: fmt.Sprintf("+1415555%04d", i)})
	}
	all := func(h Happened) (calls int) {
		for _, o := range h.Outputs {
			if c, ok := o.Value.(*schemas.SyncCall); ok {
				calls++
				if c.Reason != "its lead is being made" {
					t.Fatalf("%+v", c)
				}
			}
		}
		if calls > most || len(h.Writes) > 40*most {
			t.Fatalf("one transaction decided about %d calls, with %d writes", calls, len(h.Writes))
		}
		return calls
	}
	released := all(step(schemas.TopicControlTenants, config(2, true)))
	if released > 0 {
		t.Errorf("the configuration's own transaction decided about %d calls", released)
	}
	ticks := 0
	for released < held {
		h, ok, err := m.Tick(m.Now + 60_000)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			t.Fatalf("%d calls of %d were let go", released, held)
		}
		ticks++
		released += all(h)
	}
	if released != held || ticks > 4*held/most {
		t.Errorf("%d of %d calls in %d transactions", released, held, ticks)
	}
}
