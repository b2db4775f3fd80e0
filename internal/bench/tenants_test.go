package bench

import (
	"context"
	"testing"

	"github.com/crmstream/crmstream/internal/bench/load"
)

// BenchmarkTenants measures the merge with one tenant, which is one partition, and
// with 10,000: 8 partitions on the embedded broker, 32 on Apache Kafka.
func BenchmarkTenants(b *testing.B) {
	for range b.N {
		var rates []float64
		for _, n := range []int{1, 10_000} {
			d := newBed(b, 32, n, load.People)
			db := d.open()
			d.configure(db)
			d.must(d.FillContacts(context.Background(), load.Changes))
			_, stop, took := d.merge(db, load.Changes)
			stop()
			d.must(db.Close())
			d.committed(load.Changes)
			rates = append(rates, load.Changes/took.Seconds())
		}
		b.ReportMetric(rates[0], "1-tenant-rec/s")
		b.ReportMetric(rates[1], "10000-tenants-rec/s")
		b.ReportMetric(100*rates[1]/rates[0], "%-of-1-tenant")
	}
}
