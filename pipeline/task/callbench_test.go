package task_test

import (
	"fmt"
	"testing"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/pipetest"
	"github.com/crmstream/crmstream/pipeline/task"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/mem"
)

// BenchmarkCall logs calls of known persons: match, text, outbox, state, outputs. One Tx
// has 100 calls, a call is one op; none of them is answered.
func BenchmarkCall(b *testing.B) {
	const people, perTx = 10_000, 100
	k := task.New(pipetest.Profiles())
	store := mem.New().Store(0)
	now := int64(1_773_565_200_000)
	run := func(records []*pipeline.Record) {
		tx := pipeline.NewTx(0, now, store)
		now++
		for _, r := range records {
			if err := k.Step(tx, r); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		if err := store.Apply(tx.Store.Writes(), state.Watermark{}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	number := func(i int) string { return fmt.Sprintf("+1415555%04d", i) }
	run([]*pipeline.Record{{Topic: schemas.TopicControlTenants, Tenant: "acme", Decoded: &schemas.TenantConfig{Tenant: "acme", Version: 1, Country: "US", TimeZone: "UTC",
		Accounts: []schemas.Account{{Provider: "sf", ID: "o"}}}}})
	for i := range people {
		run([]*pipeline.Record{{Topic: schemas.TopicCRMChanges, Tenant: "acme", Decoded: &schemas.CRMChange{Provider: "sf", Account: "o", Object: "Lead", ID: fmt.Sprintf("L%d", i),
			Record: &schemas.RecordRead{ModifiedAt: now, Fields: []schemas.Field{schemas.Text("Phone", number(i))}}}}})
	}
	n := 0
	batch := func() []*pipeline.Record {
		rs := make([]*pipeline.Record, perTx)
		for i := range rs {
			n++
			seconds, notes, disposition, score := int32(92), "Asked for a demo with the team.", "Connected", 87.0
			rs[i] = &pipeline.Record{Topic: schemas.TopicDialerCalls, Tenant: "acme", Decoded: &schemas.CallEvent{CallID: fmt.Sprintf("call-%d", n), Revision: 1, Direction: schemas.Outbound,
				StartedAt: now - 100_000, DurationSeconds: &seconds, ToNumber: number(n % people), Notes: &notes, Disposition: &disposition, Score: &score, AgentEmail: "ann@example.com"}}
		}
		return rs
	}
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += perTx {
		b.StopTimer()
		rs := batch()
		b.StartTimer()
		run(rs[:min(perTx, b.N-done)])
	}
}
