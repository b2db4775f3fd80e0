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

// BenchmarkContactMerge merges changes of known persons: dedupe, phone, e-mail,
// field by field, state, output. One Tx has 1,000 records; a record is one op.
func BenchmarkContactMerge(b *testing.B) {
	const people, perTx = 10_000, 1_000
	k := task.New(pipetest.Profiles())
	store := mem.New().Store(0)
	n := 0
	change := func() *pipeline.Record {
		i, round := n%people, n/people
		n++
		return &pipeline.Record{Topic: schemas.TopicDialerContacts, Offset: int64(n), Tenant: "acme", Decoded: &schemas.ContactChange{
			ContactID: fmt.Sprintf("contact-%d", i), ModifiedAt: int64(1_000_000 + round), Fields: []schemas.Field{
				schemas.Text("company", "Example Ltd"), schemas.Text("email", fmt.Sprintf("Person.%d@Example.com", i)), schemas.Text("first_name", fmt.Sprintf("Ann %d", round)),
				schemas.Text("last_name", "Lee"), schemas.Text("phone", fmt.Sprintf("(415) 555-%04d", i)), schemas.Text("title", "Head of things")}}}
	}
	now := int64(2_000_000)
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
	batch := func() []*pipeline.Record {
		rs := make([]*pipeline.Record, perTx)
		for i := range rs {
			rs[i] = change()
		}
		return rs
	}
	run([]*pipeline.Record{{Topic: schemas.TopicControlTenants, Tenant: "acme", Decoded: &schemas.TenantConfig{Tenant: "acme", Version: 1, Country: "US", TimeZone: "UTC",
		Accounts: []schemas.Account{{Provider: "sf", ID: "o"}}}}})
	for range people / perTx {
		run(batch())
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
