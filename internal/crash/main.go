// Command crash runs the crash test: it plays a dialer and CRM users against a
// broker, two simulators and the pipeline, each a process of its own, kills the
// pipeline (and the broker) with SIGKILL at random moments, and then counts in the
// simulators. `make crash` and `make crash-short` call it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/crmstream/crmstream/cmd/crmstream/demo"
	"github.com/crmstream/crmstream/internal/kafkalane"
)

func main() {
	o := demo.CrashOptions{Out: os.Stderr}
	flag.IntVar(&o.Calls, "calls", 2000, "calls to send")
	flag.IntVar(&o.Tenants, "tenants", 10, "tenants")
	flag.IntVar(&o.Kills, "kills", 4, "kills of the pipeline")
	flag.IntVar(&o.Processes, "processes", 1, "pipeline processes that share the work")
	flag.IntVar(&o.Pauses, "pauses", 0, "SIGSTOPs of a pipeline for longer than its session")
	flag.IntVar(&o.Leaves, "leaves", 0, "clean stops of a pipeline, which joins again")
	flag.IntVar(&o.BrokerKills, "broker-kills", 1, "kills of the broker")
	flag.Float64Var(&o.Held, "held", 0.005, "share of the CRMs' writes that are answered 8 or 30 s late")
	flag.Float64Var(&o.Late, "late", 0.005, "share of the CRMs' writes that are carried out after the client has gone")
	kafka := flag.Bool("kafka", false, "on Apache Kafka, which is started (needs java, and mvn the first time)")
	flag.IntVar(&o.Rate, "rate", 200, "calls a second")
	flag.Uint64Var(&o.Seed, "seed", 1, "seed of the moments")
	flag.StringVar(&o.Dir, "data", "", "folder, kept; empty = a temporary one, removed if all is well")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := prepare(ctx, o, *kafka); err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
}

// kafka is an Apache Kafka that the test may kill.
type kafka struct{ *kafkalane.Lane }

func (k kafka) Addr() string                    { return k.Broker }
func (k kafka) RegistryURL() string             { return k.Lane.RegistryURL }
func (k kafka) Kill()                           { k.Kafka.Kill() }
func (k kafka) Start(ctx context.Context) error { return k.Kafka.Start(ctx) }

func prepare(ctx context.Context, o demo.CrashOptions, onKafka bool) error {
	if !onKafka {
		return run(ctx, o)
	}
	lane, err := kafkalane.Start(ctx, kafkalane.Config{})
	if err != nil {
		return err
	}
	defer lane.Close()
	o.Kafka = kafka{lane}
	if err = run(ctx, o); err != nil {
		lane.Logs(os.Stderr)
	}
	return err
}

func run(ctx context.Context, o demo.CrashOptions) error {
	temporary := o.Dir == ""
	if temporary {
		var err error
		if o.Dir, err = os.MkdirTemp("", "crmstream-crash-"); err != nil {
			return err
		}
	}
	o.Binary = filepath.Join(o.Dir, "crmstream")
	build := exec.CommandContext(ctx, "go", "build", "-o", o.Binary, "./cmd/crmstream")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building crmstream: %w", err)
	}
	rep, err := demo.Crash(ctx, o)
	if err != nil {
		return fmt.Errorf("%w (everything is kept in %s)", err, o.Dir)
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(rep); err != nil {
		return err
	}
	if !rep.Good() {
		return fmt.Errorf("not everything is right (everything is kept in %s; again: -seed %d)", o.Dir, o.Seed)
	}
	if temporary {
		return os.RemoveAll(o.Dir)
	}
	return nil
}
