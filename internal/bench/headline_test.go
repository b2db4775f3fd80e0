package bench

import (
	"context"
	"testing"
	"time"

	"github.com/crmstream/crmstream/internal/bench/load"
	"github.com/crmstream/crmstream/schemas"
)

// changelogRounds is how many more rounds of changes the changelog grows by before it is
// restored: joining the group takes some tenths of a second, whatever there is to read.
const changelogRounds = 4

// BenchmarkHeadline measures the merge against the raw copy, then a restart with
// the store at hand, then a restore of a lost store against a raw read of the
// changelog, all on one broker.
func BenchmarkHeadline(b *testing.B) {
	for range b.N {
		d := newBed(b, onKafka, tenants, load.People)
		db := d.open()
		d.configure(db)
		d.must(d.FillContacts(context.Background(), load.Changes))
		_, raw, err := d.RawCopy(context.Background(), schemas.TopicSyncHealth, func(n int, _ time.Duration) bool { return n >= load.Changes })
		d.must(err)
		_, stop, merge := d.merge(db, load.Changes)
		stop()
		b.ReportMetric(load.Changes/raw.Seconds(), "raw-copy-rec/s")
		b.ReportMetric(load.Changes/merge.Seconds(), "merge-rec/s")
		b.ReportMetric(100*raw.Seconds()/merge.Seconds(), "merge-%-of-raw")

		r, stop := d.start(db, nil)
		b.ReportMetric(d.until("a restart", d.owned(r)).Seconds(), "warm-restart-s")
		for n := range changelogRounds {
			d.must(d.FillContacts(context.Background(), load.Changes))
			d.until("the changelog", func() bool { return r.Status().Records >= int64(n+1)*load.Changes })
		}
		stop()
		d.must(db.Close())

		read, took := d.count(schemas.TopicChangelog)
		lost := d.open()
		r, stop = d.start(lost, nil)
		restore := d.until("a restore", d.owned(r))
		stop()
		if got := r.Status().RestoredCount; got == 0 {
			b.Fatal("nothing was restored")
		}
		b.ReportMetric(float64(read)/took.Seconds(), "raw-read-rec/s")
		b.ReportMetric(float64(r.Status().RestoredCount)/restore.Seconds(), "restore-rec/s")
		b.ReportMetric(100*float64(r.Status().RestoredCount)/restore.Seconds()/(float64(read)/took.Seconds()), "restore-%-of-raw")
		d.must(lost.Close())
		d.committed((1 + changelogRounds) * load.Changes)
	}
}
