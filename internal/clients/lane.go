package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/internal/kafkalane"
	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
)

// partitions of the project's topics, where this program makes them.
const partitions = 8

// target is where the clients work.
type target struct{ brokers, registry string }

// broker is a `crmstream broker` of our own.
type broker struct {
	target
	dir  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// startBroker builds crmstream and starts its broker on free ports, with its data in a
// temporary folder.
func startBroker(ctx context.Context) (_ *broker, err error) {
	dir, err := os.MkdirTemp("", "crmstream-clients-")
	if err != nil {
		return nil, err
	}
	b := &broker{dir: dir, done: make(chan struct{})}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	binary := filepath.Join(dir, "crmstream")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/crmstream")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building crmstream (the working folder must be the repository): %w\n%s", err, out)
	}
	b.cmd = exec.Command(binary, "broker", "--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0", "--registry", "127.0.0.1:0", "--partitions", fmt.Sprint(partitions))
	b.cmd.SysProcAttr, b.cmd.Stderr = kafkalane.OwnGroup(), os.Stderr
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(b.done)
		_ = kafkalane.Attached(b.cmd) // how it ended shows at what asks it next
	}()
	said := make(chan target, 1)
	go func() { said <- addresses(bufio.NewScanner(out)) }()
	select {
	case b.target = <-said:
	case <-time.After(30 * time.Second):
	case <-ctx.Done():
	}
	if b.brokers == "" || b.registry == "" {
		b.stop()
		return nil, errors.Join(errors.New("crmstream broker does not say within 30 s where it is"), ctx.Err())
	}
	return b, nil
}

// addresses reads what the broker prints once it answers, "broker HOST:PORT" and
// "registry URL".
func addresses(lines *bufio.Scanner) (t target) {
	for (t.brokers == "" || t.registry == "") && lines.Scan() {
		switch f := strings.Fields(lines.Text()); {
		case len(f) == 2 && f[0] == "broker":
			t.brokers = f[1]
		case len(f) == 2 && f[0] == "registry":
			t.registry = f[1]
		}
	}
	return t
}

func (b *broker) stop() {
	if b.cmd.Process != nil {
		_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-b.done:
		case <-time.After(10 * time.Second):
			_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL)
			<-b.done
		}
	}
	os.RemoveAll(b.dir)
}

// config is what a client's program is told, as JSON.
type config struct {
	Brokers  string `json:"brokers"`
	Registry string `json:"registry"`
	// Prefix begins every topic, group, transactional id and call id that the program
	// makes: a broker may have been used before.
	Prefix string `json:"prefix"`
	Calls  string `json:"calls"` // topic of the calls
	Sync   string `json:"sync"`  // topic with records to read
	// Samples are keys of Sync, and the activity's id that each of them must show.
	Samples map[string]string `json:"samples"`
	// Tenants are those to send calls for, and the partition that each one's belong to.
	Tenants map[string]int32 `json:"tenants"`
}

// lane is a broker and a registry with what the clients need in them.
type lane struct {
	at      target
	cl      *kgo.Client
	adm     *kadm.Client
	codec   *registry.Codec
	run     string
	samples map[string]string
	tenants map[string]int32
}

var tenants = []string{"acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "wonka", "tyrell", "cyberdyne"}

// openLane makes topics, registers schemas, and writes records to read.
func openLane(ctx context.Context, at target) (_ *lane, err error) {
	l := &lane{at: at, codec: registry.NewCodec(at.registry), run: strings.ToLower(rand.Text()[:6]), samples: make(map[string]string), tenants: make(map[string]int32)}
	if l.cl, err = kgo.NewClient(kgo.SeedBrokers(strings.Split(at.brokers, ",")...), kgo.RetryTimeout(10*time.Second), kgo.RecordDeliveryTimeout(20*time.Second)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	l.adm = kadm.NewClient(l.cl)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := l.cl.Ping(ctx); err != nil {
		return nil, fmt.Errorf("no Kafka broker answers at %s: %w", at.brokers, err)
	}
	if err := run.EnsureTopics(ctx, l.cl, partitions, 1); err != nil {
		return nil, err
	}
	if err := l.codec.Register(ctx); err != nil {
		return nil, fmt.Errorf("registering the schemas at %s: %w", at.registry, err)
	}
	details, err := l.adm.ListTopics(ctx, schemas.TopicDialerCalls)
	if err != nil {
		return nil, fmt.Errorf("asking for %s: %w", schemas.TopicDialerCalls, err)
	}
	n := int32(len(details[schemas.TopicDialerCalls].Partitions))
	if n == 0 {
		return nil, fmt.Errorf("%s has no partitions", schemas.TopicDialerCalls)
	}
	for _, t := range tenants {
		l.tenants[t] = schemas.PartitionOf(t, n)
	}
	return l, l.writeSamples(ctx)
}

func (l *lane) close() { l.cl.Close() }

func (l *lane) writeSamples(ctx context.Context) error {
	for i := range 3 {
		call, id := fmt.Sprintf("%s-%d", l.run, i), fmt.Sprintf("00T%s%d", l.run, i)
		key := "clients/" + call
		value, err := l.codec.Append(nil, schemas.TopicSyncCalls, &schemas.SyncCall{
			Tenant: "clients", CallID: call, Revision: 1, Status: "synced", StartedAt: time.Now().UnixMilli(),
			Logged:     []schemas.Logged{{Provider: "salesforce", Object: "Task", ID: id, Status: "synced", At: time.Now().UnixMilli()}},
			Provenance: &schemas.Provenance{Origin: "dialer", SourceRef: "dialer.calls-0@0"},
		})
		if err != nil {
			return err
		}
		if err := l.cl.ProduceSync(ctx, &kgo.Record{Topic: schemas.TopicSyncCalls, Key: []byte(key), Value: value}).FirstErr(); err != nil {
			return fmt.Errorf("writing to %s: %w", schemas.TopicSyncCalls, err)
		}
		l.samples[key] = id
	}
	return nil
}

func (l *lane) config(client string) config {
	return config{
		Brokers: l.at.brokers, Registry: l.at.registry, Prefix: "clients." + client + "." + l.run, Calls: schemas.TopicDialerCalls, Sync: schemas.TopicSyncCalls,
		Samples: l.samples, Tenants: l.tenants,
	}
}

// landed is a call that a client sent, as crmstream would read it.
type landed struct {
	call      *schemas.CallEvent
	tenant    string
	partition int32
}

// calls reads what a client sent of a kind, "set" or "default".
func (l *lane) calls(ctx context.Context, cfg config, kind string) ([]landed, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	prefix := cfg.Prefix + "-" + kind + "-"
	var found []landed
	err := l.each(ctx, cfg.Calls, func(r *kgo.Record) error {
		v, err := l.codec.Decode(ctx, cfg.Calls, r.Value)
		if errors.Is(err, registry.ErrNotAvro) || errors.Is(err, registry.ErrUnknownSchema) {
			return nil // another client's; one of this client's is missed below
		}
		if err != nil {
			return err
		}
		if call, ok := v.(*schemas.CallEvent); ok && strings.HasPrefix(call.CallID, prefix) {
			found = append(found, landed{call, string(r.Key), r.Partition})
		}
		return nil
	})
	return found, err
}

// each reads a topic as it is now.
func (l *lane) each(ctx context.Context, topic string, fn func(*kgo.Record) error) error {
	ends, err := l.adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	left := make(map[int32]int64)
	from := make(map[int32]kgo.Offset)
	for _, o := range ends.Offsets()[topic] {
		if o.At > 0 {
			left[o.Partition], from[o.Partition] = o.At, kgo.NewOffset().AtStart()
		}
	}
	if len(left) == 0 {
		return nil
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(l.at.brokers, ",")...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer cl.Close()
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading %s: %w", topic, err)
		}
		for _, r := range fetches.Records() {
			if !r.Attrs.IsControl() {
				if err := fn(r); err != nil {
					return err
				}
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		}
	}
	return nil
}

// verify checks a client's word against the broker.
func (l *lane) verify(ctx context.Context, cfg config, said []result) []string {
	for _, r := range said {
		if r.step == "produce" && r.ok {
			found, err := l.calls(ctx, cfg, "set")
			if err == nil {
				err = l.inPlace(found)
			}
			if err != nil {
				return []string{"failed read-back: " + oneLine(err.Error())}
			}
			return []string{fmt.Sprintf("ok read-back: %d calls", len(found))}
		}
	}
	return nil
}

// inPlace says what is wrong with a client's calls: one of each tenant, as sent, in the
// tenant's partition.
func (l *lane) inPlace(found []landed) error {
	seen := make(map[string]bool)
	for _, f := range found {
		switch {
		case l.tenants[f.tenant] != f.partition:
			return fmt.Errorf("the call of %s is in partition %d, not %d", f.tenant, f.partition, l.tenants[f.tenant])
		case f.call.ToNumber != "+14155551234" || f.call.DurationSeconds == nil || *f.call.DurationSeconds != 90 || f.call.EndedAt == nil || *f.call.EndedAt-f.call.StartedAt != 90_000:
			return fmt.Errorf("the call of %s is read as %+v", f.tenant, *f.call)
		}
		seen[f.tenant] = true
	}
	if len(seen) < len(l.tenants) {
		return fmt.Errorf("%d of %d calls are there", len(seen), len(l.tenants))
	}
	return nil
}
