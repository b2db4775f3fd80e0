// Command peer measures, in one run on one Apache Kafka, how many contact changes a
// second are merged exactly once by crmstream, by Kafka Streams on the same work, and
// how many the bare client copies: `make bench-peer`.
//
//	go run ./bench/peer [-warm 10s] [-span 15s] [-commit 100,1000] [-records 3600000] [-people 20000] [-json FILE]
//
// In: java and mvn. Out: a table, and JSON. The contenders run one after the other,
// each as a process of its own, over the same filled topic. What each committed is
// counted afterwards by a reader of committed records, between two moments of the
// broker's clock, so that nobody is measured by its own word. That crmstream and the
// Streams program do the same work is checked too: the first contacts that both
// publish must be equal.
//
// Status 3: this machine lacks something, one line says what.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/crmstream/crmstream/internal/bench/load"
	"github.com/crmstream/crmstream/internal/kafkalane"
	"github.com/crmstream/crmstream/schemas"
)

const (
	partitions = 12
	tenants    = 64
)

type options struct {
	warm, span time.Duration
	records    int
	people     int
	commits    []int // ms, of the Streams program
	json       string
}

func main() {
	if name := os.Getenv(envContender); name != "" {
		os.Exit(contend(name))
	}
	o, err := flags()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = peer(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(status(err))
	}
}

func status(err error) int {
	if errors.Is(err, kafkalane.ErrMissing) {
		return 3
	}
	return 1
}

func flags() (o options, err error) {
	flag.DurationVar(&o.warm, "warm", 10*time.Second, "how long each runs before it is measured")
	flag.DurationVar(&o.span, "span", 15*time.Second, "how long each is measured")
	flag.IntVar(&o.records, "records", 18*load.Changes, "contact changes on the topic")
	flag.IntVar(&o.people, "people", load.People, "contacts that the changes go to, one after the other")
	flag.StringVar(&o.json, "json", "", "write the results here, too")
	commits := flag.String("commit", "100,1000", "commit intervals of the Streams program in ms, each measured")
	flag.Parse()
	for _, c := range strings.Split(*commits, ",") {
		ms, err := strconv.Atoi(c)
		if err != nil || ms < 1 {
			return o, fmt.Errorf("-commit %s: milliseconds, separated by commas", *commits)
		}
		o.commits = append(o.commits, ms)
	}
	return o, nil
}

// peer does the whole run.
func peer(ctx context.Context, o options) error {
	lib, err := build(ctx)
	if err != nil {
		return err
	}
	lane, err := kafkalane.Start(ctx, kafkalane.Config{})
	if err != nil {
		return err
	}
	defer lane.Close()
	dir, err := os.MkdirTemp("", "crmstream-peer-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o, lane: lane, dir: dir}
	if b.bed, err = load.New(ctx, []string{lane.Broker}, lane.RegistryURL, partitions, tenants); err != nil {
		return err
	}
	b.bed.People = o.people
	if err := b.prepare(ctx); err != nil {
		return err
	}
	// The bound comes first and last: what differs is the machine's own.
	contenders := []contender{b.ours(raw, topicRaw), b.ours(crmstream, schemas.TopicSyncContacts)}
	for _, ms := range o.commits {
		contenders = append(contenders, b.streams(lib, ms))
	}
	contenders = append(contenders, b.ours(raw, topicRaw+"-again"))
	for _, c := range contenders {
		r, err := b.measure(ctx, c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		b.results = append(b.results, r)
	}
	same, err := b.sameWork()
	if err != nil {
		return err
	}
	return b.report(ctx, same)
}

// Kinds of contenders.
const (
	raw       = "raw"
	crmstream = "crmstream"
	streams   = "streams"
)

// envContender makes this binary one of our own contenders instead.
const envContender = "CRMSTREAM_BENCH_PEER"

// ours is a contender that is in this binary. It finds its surroundings where the
// tests find theirs.
func (b *bench) ours(name, topic string) contender {
	return contender{name: name, kind: name, topic: topic, command: func() (*exec.Cmd, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		cmd := exec.Command(self, filepath.Join(b.dir, "pebble"), topic)
		cmd.Env = append(os.Environ(), b.lane.Environ()...)
		cmd.Env = append(cmd.Env, envContender+"="+name)
		return cmd, nil
	}}
}

// javaFlags are the Streams program's: the heap that was agreed, and the collector
// that lets it do most on few cores.
func javaFlags() []string { return []string{"-Xmx1g", "-XX:+UseParallelGC"} }

func threads() string { return strconv.Itoa(runtime.NumCPU()) }
