package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/crmstream/crmstream/internal/kafkalane"
)

// report is what -json writes.
type report struct {
	Date       string             `json:"date"`
	Machine    map[string]string  `json:"machine"`
	Settings   map[string]string  `json:"settings"`
	Results    []result           `json:"results"`
	OverRaw    float64            `json:"crmstream_over_raw"`
	OverPeer   map[string]float64 `json:"crmstream_over_streams"` // by commit interval in ms
	SameWorkOn int                `json:"contacts_compared_and_equal"`
}

func (b *bench) report(ctx context.Context, same int) error {
	var bound float64
	for _, x := range b.of(raw) {
		bound += x.Rate / float64(len(b.of(raw)))
	}
	ours := b.of(crmstream)[0].Rate
	r := report{Date: time.Now().UTC().Format(time.RFC3339), Results: b.results, OverRaw: ours / bound, OverPeer: make(map[string]float64), SameWorkOn: same,
		Machine: map[string]string{"cores": strconv.Itoa(runtime.NumCPU()), "cpu": cpuModel(), "go": runtime.Version(), "java": javaVersion(ctx),
			"kafka": kafkalane.KafkaVersion, "kafka-streams": kafkalane.KafkaVersion, "franz-go": franz()},
		Settings: map[string]string{"partitions": strconv.Itoa(partitions), "tenants": strconv.Itoa(tenants), "records": strconv.Itoa(b.records), "people": strconv.Itoa(b.people),
			"warm-up": b.warm.String(), "span": b.span.String(), "broker": "deploy/kafka/broker.properties",
			"kafka-streams": "exactly_once_v2, num.stream.threads=" + threads() + ", RocksDB block cache 128 MiB, memtables 128 MiB, record cache 64 MiB, snappy, " + strings.Join(javaFlags(), " "),
			"crmstream":     "defaults: Pebble block cache 128 MiB, memtables 128 MiB, row cache 64 MiB, snappy"}}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\trecords/s\tof raw\tcrmstream is\tpeak RSS\tCPU s\tload before")
	for _, x := range b.results {
		ratio := ""
		if x.Commit > 0 {
			r.OverPeer[strconv.Itoa(x.Commit)] = ours / x.Rate
			ratio = fmt.Sprintf("%.1f times it", ours/x.Rate)
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.1f %%\t%s\t%d MB\t%.1f\t%s, %.1f cores busy\n", x.Name, x.Rate, 100*x.Rate/bound, ratio, x.RSS>>20, x.CPU, x.Load, x.Others)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, m := range []map[string]string{r.Machine, r.Settings} {
		line, err := json.Marshal(m)
		if err != nil {
			return err
		}
		fmt.Println(string(line))
	}
	fmt.Printf("the first %d contacts that both published are equal\n", same)
	if b.json == "" {
		return nil
	}
	out, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(b.json, append(out, '\n'), 0o644)
}

func javaVersion(ctx context.Context) string {
	out, _ := exec.CommandContext(ctx, "java", "-version").CombinedOutput()
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

func franz() string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/twmb/franz-go" {
				return m.Version
			}
		}
	}
	return "unknown"
}
