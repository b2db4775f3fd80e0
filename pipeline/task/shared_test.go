package task_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/pipetest"
	"github.com/crmstream/crmstream/pipeline/task"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state/mem"
)

// One task serves all partitions at once; what it keeps beside state (zones,
// numbers, configurations) does not mix them up, also where the same tenant's name
// has other configurations elsewhere.
func TestOneTaskServesAllPartitions(t *testing.T) {
	k := task.New(pipetest.Profiles())
	db := mem.New()
	var wg sync.WaitGroup
	for p := range int32(4) {
		zone, day := "America/Los_Angeles", "2026-03-15"
		if p%2 == 1 {
			zone, day = "Asia/Tokyo", "2026-03-16"
		}
		wg.Go(func() {
			tx := pipeline.NewTx(p, 1_773_642_600_000, db.Store(p)) // 23:30 on the 15th in Los Angeles
			end := tx.Now
			err := k.Step(tx, &pipeline.Record{Tenant: "acme", Decoded: &schemas.TenantConfig{Tenant: "acme", Version: 1, Country: "US", TimeZone: zone, Accounts: []schemas.Account{{Provider: "sf", ID: "o"}}}})
			for i := 0; i < 50 && err == nil; i++ {
				id := fmt.Sprint("c", i)
				number := fmt.Sprintf("+1415555%04d", i)
				if err = k.Step(tx, &pipeline.Record{Tenant: "acme", Decoded: &schemas.CRMChange{Provider: "sf", Object: "Lead", ID: "L" + id, Record: &schemas.RecordRead{ModifiedAt: 1, Fields: []schemas.Field{schemas.Text("Phone", number)}}}}); err == nil {
					err = k.Step(tx, &pipeline.Record{Tenant: "acme", Decoded: &schemas.CallEvent{CallID: id, Revision: 1, Direction: schemas.Outbound, StartedAt: end, EndedAt: &end, ToNumber: number}})
				}
			}
			for i := 0; i < 1000 && err == nil; i++ {
				var tm pipeline.Timer
				var ok bool
				if tm, ok, err = pipeline.NextTimer(tx.Store, p); err != nil || !ok || tm.Due > tx.Now {
					break
				}
				tx.Cancel(tm)
				err = k.Tick(tx, tm)
			}
			if err != nil {
				t.Error(err)
			}
			sent := 0
			for _, e := range tx.Effects() {
				if s, ok := e.(pipeline.Start); ok {
					for _, it := range s.Attempt.Items {
						sent++
						if got := *it.Fields[0].Value; got != day {
							t.Errorf("partition %d: the call is of %s, in %s it was %s", p, got, zone, day)
						}
					}
				}
			}
			if sent == 0 {
				t.Error("nothing was sent")
			}
		})
	}
	wg.Wait()
}
