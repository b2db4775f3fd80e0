package bench

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// million is how many contacts are held in state: nothing is scaled.
const million = 1_000_000

// BenchmarkMemory measures what a million contacts in state add to the resident set:
// of this process before the shell has started, and after it has merged them, each
// time after a collection that gives all it can back to the kernel; and the highest
// that it was meanwhile. The broker must be another process, or its own memory would
// be counted.
func BenchmarkMemory(b *testing.B) {
	if brokers, _ := kafka(); brokers == nil {
		b.Skip("the embedded broker's memory is this process's: make bench-kafka")
	}
	if resident(b, "VmRSS:") == 0 {
		b.Skip("this system does not tell a process's resident set")
	}
	for range b.N {
		d := newBed(b, onKafka, tenants, million)
		db := d.open()
		d.configure(db)
		d.must(d.FillContacts(context.Background(), million))
		before := settled(b)
		_, stop, took := d.merge(db, million)
		after, peak := settled(b), resident(b, "VmHWM:")
		stop()
		d.must(db.Close())
		d.committed(million)
		b.ReportMetric(million/took.Seconds(), "new-contacts/s")
		b.ReportMetric(float64(after-before)/1e6, "MB-per-million")
		b.ReportMetric(float64(after)/1e6, "MB-resident")
		b.ReportMetric(float64(peak)/1e6, "MB-peak")
	}
}

func settled(b *testing.B) int64 {
	runtime.GC()
	debug.FreeOSMemory()
	return resident(b, "VmRSS:")
}

// resident reads a line of the process's status, in bytes; 0 where there is none.
func resident(b *testing.B, line string) int64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(l, line); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb << 10
		}
	}
	return 0
}
