package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/crmstream/crmstream/internal/bench/load"
	"github.com/crmstream/crmstream/internal/kafkalane"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state/disk"
)

const topicRaw = "peer.raw"

// bench is one run.
type bench struct {
	options
	lane    *kafkalane.Lane
	bed     *load.Bed
	dir     string
	results []result
}

// contender is one program that is measured.
type contender struct {
	name    string
	kind    string
	topic   string // its outputs, one for each input that changes something
	changes string // a further topic that it needs, "" = none
	commit  int    // ms; 0 = it is no Streams program
	command func() (*exec.Cmd, error)
}

// result is what was seen of a contender.
type result struct {
	Name    string  `json:"name"`
	Kind    string  `json:"kind"`
	Commit  int     `json:"commit_interval_ms,omitempty"`
	Rate    float64 `json:"records_per_s"`
	Records int     `json:"records"`
	Span    float64 `json:"span_s"`
	RSS     int64   `json:"peak_rss_bytes"`
	CPU     float64 `json:"cpu_s"`  // of its process, whole
	Load    string  `json:"load"`   // the machine's load averages before it began
	Others  float64 `json:"others"` // cores that were busy before it began, with nobody of us at work
	heads   map[int32][]string
}

// prepare fills the topics: tenants that crmstream then takes over, contacts that all
// will merge.
func (b *bench) prepare(ctx context.Context) error {
	began := time.Now()
	if err := b.bed.FillTenants(ctx); err != nil {
		return err
	}
	db, err := disk.Open(disk.Options{Dir: filepath.Join(b.dir, "pebble")})
	if err != nil {
		return err
	}
	r, stop, err := b.bed.Start(db, nil)
	if err != nil {
		return err
	}
	if _, err = load.Until(ctx, "the tenants", func() bool { return r.Status().Records >= tenants }); err != nil {
		return err
	}
	if err := stop(); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	cl, err := b.bed.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	topics := []string{topicRaw, topicRaw + "-again"}
	for _, ms := range b.commits {
		c := b.streams("", ms)
		topics = append(topics, c.topic, c.changes)
	}
	compact := map[string]*string{"cleanup.policy": text("compact"), "segment.bytes": text(strconv.Itoa(64 << 20)),
		"segment.index.bytes": text("262144"), "message.timestamp.type": text("LogAppendTime")}
	plain := map[string]*string{"segment.index.bytes": text("262144"), "message.timestamp.type": text("LogAppendTime")}
	for _, t := range topics {
		configs := plain
		if strings.HasSuffix(t, ".contacts") { // as sync.contacts is
			configs = compact
		}
		if _, err := adm.CreateTopic(ctx, partitions, 1, configs, t); err != nil {
			return fmt.Errorf("creating topic %s: %w", t, err)
		}
	}
	stamped, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "message.timestamp.type", Value: text("LogAppendTime")}}, schemas.TopicSyncContacts)
	for _, s := range stamped {
		if err == nil {
			err = s.Err
		}
	}
	if err != nil {
		return fmt.Errorf("having the broker stamp %s: %w", schemas.TopicSyncContacts, err)
	}
	if err := b.bed.FillContacts(ctx, b.records); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "peer: %d contact changes on %d partitions after %v\n", b.records, partitions, time.Since(began).Round(time.Second))
	return nil
}

func text(s string) *string { return &s }

// measure runs one contender.
func (b *bench) measure(ctx context.Context, c contender) (r result, err error) {
	r = result{Name: c.name, Kind: c.kind, Commit: c.commit, Others: busy(ctx, 2*time.Second), Load: loadAverage()}
	cmd, err := c.command()
	if err != nil {
		return r, err
	}
	cmd.Stderr, cmd.SysProcAttr = os.Stderr, kafkalane.OwnGroup()
	ended, err := spawn(cmd)
	if err != nil {
		return r, err
	}
	if err = b.await(ctx, c, ended); err == nil {
		r.RSS = peakRSS(cmd.Process.Pid)
		_ = cmd.Process.Signal(syscall.SIGTERM)
	} else {
		_ = cmd.Process.Kill()
	}
	select {
	case eerr := <-ended:
		// A JVM that a signal ended says 128 + 15, after its hooks have run.
		if err == nil && eerr != nil && cmd.ProcessState.ExitCode() != 143 {
			err = eerr
		}
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		err = fmt.Errorf("it does not end when it is told to: %w", <-ended)
	}
	if err != nil {
		return r, err
	}
	r.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	w, err := b.bed.Measure(ctx, c.topic, b.warm, b.span)
	if err != nil {
		return r, err
	}
	r.Rate, r.Records, r.Span = w.Rate(), w.Records, w.To.Sub(w.From).Seconds()
	fmt.Fprintf(os.Stderr, "peer: %s: %.0f records/s over %.1f s\n", c.name, r.Rate, r.Span)
	if c.kind != raw {
		if r.heads, err = b.heads(ctx, c.topic); err != nil {
			return r, err
		}
	}
	return r, b.clear(ctx, c)
}

// spawn starts a command, and waits for it on the thread that started it: the kernel
// ends the child of OwnGroup when that thread ends.
func spawn(cmd *exec.Cmd) (ended chan error, err error) {
	ended = make(chan error, 1)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	return ended, <-started
}

// await lets a contender work for the warm-up and the measured span from its first
// commit on.
func (b *bench) await(ctx context.Context, c contender, ended chan error) error {
	cl, err := b.bed.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	giveUp := time.After(2 * time.Minute)
	var done <-chan time.Time
	for {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			ended <- err
			return fmt.Errorf("it ended before it was told to (%w)", err)
		case <-giveUp:
			if done == nil {
				return fmt.Errorf("it commits nothing to %s", c.topic)
			}
		case <-look.C:
			if done != nil {
				continue
			}
			ends, err := adm.ListCommittedOffsets(ctx, c.topic)
			if err != nil {
				return err
			}
			ends.Each(func(o kadm.ListedOffset) {
				if o.Offset > 0 && done == nil {
					done = time.After(b.warm + b.span + 500*time.Millisecond)
				}
			})
		}
	}
}

// clear deletes what a contender wrote: the broker has no need to keep it tidy while
// others are measured.
func (b *bench) clear(ctx context.Context, c contender) error {
	cl, err := b.bed.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	topics := []string{c.topic}
	switch c.kind {
	case streams:
		topics = append(topics, c.changes, fmt.Sprintf("peer-%d-people-changelog", c.commit))
	case crmstream:
		topics = append(topics, schemas.TopicSyncChanges, schemas.TopicChangelog, schemas.TopicJournal)
	}
	gone, err := kadm.NewClient(cl).DeleteTopics(ctx, topics...)
	if err == nil {
		err = gone.Error()
	}
	if err != nil {
		return fmt.Errorf("deleting %v: %w", topics, err)
	}
	return nil
}
