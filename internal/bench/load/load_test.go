package load

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/pipeline/run/embedded"
	"github.com/crmstream/crmstream/schemas"
)

// What the copy says that it copied, over more than one pass, is what a reader of its
// own finds; what was taken back is not counted.
func TestOnlyWhatIsCommittedCounts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	br, err := embedded.Start(ctx, embedded.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", RegistryListen: "127.0.0.1:0", Partitions: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := br.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	d, err := New(ctx, []string{br.Addr()}, br.RegistryURL(), 3, 5)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Measure(ctx, schemas.TopicSyncHealth, 0, time.Second); err == nil || !strings.Contains(err.Error(), "nothing was committed") {
		t.Errorf("an empty topic: %v", err)
	}
	const changes = 1000
	if err := d.FillContacts(ctx, changes); err != nil {
		t.Fatal(err)
	}
	copied, took, err := d.RawCopy(ctx, schemas.TopicSyncHealth, func(n int, _ time.Duration) bool { return n > 2*changes })
	if err != nil || copied <= 2*changes || took <= 0 {
		t.Fatalf("%d copied in %v: %v", copied, took, err)
	}
	takeBack(ctx, t, d)
	if n, _, err := d.Read(ctx, schemas.TopicSyncHealth, nil); n != copied || err != nil {
		t.Errorf("%d were read, %d copied: %v", n, copied, err)
	}
	w, err := d.Measure(ctx, schemas.TopicSyncHealth, 0, time.Hour)
	if err != nil || w.Records == 0 || w.Records > copied || !w.To.Equal(w.Last) {
		t.Errorf("a window that is longer than there are records: %+v, %v", w, err)
	}
	if _, err := d.Measure(ctx, schemas.TopicSyncHealth, time.Hour, time.Hour); err == nil || !strings.Contains(err.Error(), "within the warm-up") {
		t.Errorf("a warm-up that is longer than there are records: %v", err)
	}
}

// takeBack produces a record and aborts.
func takeBack(ctx context.Context, t *testing.T, d *Bed) {
	t.Helper()
	cl, err := d.Client(kgo.TransactionalID("taken back"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: schemas.TopicSyncHealth, Value: []byte("never")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(ctx, kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
}
