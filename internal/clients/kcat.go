package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/internal/kafkalane"
	"github.com/crmstream/crmstream/schemas"
)

// wait is how long anything may take that a broker has to do for kcat.
const wait = 20 * time.Second

func prepareKcat(context.Context) (program, error) {
	path, err := lookPath("kcat", "apt-get install kcat")
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, l *lane, cfg config, say func(string)) error {
		dir, err := os.MkdirTemp("", "crmstream-kcat-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		k := &kcat{path: path, dir: dir, l: l, cfg: cfg}
		k.all(ctx, say)
		return ctx.Err()
	}, nil
}

// kcat is a command line: its program is here, in place of programs/.
type kcat struct {
	path, dir string
	l         *lane
	cfg       config
}

func (k *kcat) all(ctx context.Context, say func(string)) {
	for _, s := range []struct {
		name string
		do   func(context.Context) (string, error)
	}{
		{"metadata", k.metadata},
		{"produce", func(ctx context.Context) (string, error) {
			return k.produce(ctx, "set", "-X", "partitioner=murmur2_random")
		}},
		{"default-partitioner", func(ctx context.Context) (string, error) { return k.produce(ctx, "default") }},
		{"read", k.read},
		{"compression", k.compression},
		{"group", func(ctx context.Context) (string, error) { return k.group(ctx, "group", "range") }},
		{"group-cooperative", func(ctx context.Context) (string, error) {
			return k.group(ctx, "group-cooperative", "cooperative-sticky")
		}},
		{"transaction", k.transaction},
		{"admin-offsets", k.offsets},
	} {
		detail, err := s.do(ctx)
		if err != nil {
			say(fmt.Sprintf("failed %s: %s", s.name, oneLine(err.Error())))
			continue
		}
		say(fmt.Sprintf("ok %s: %s", s.name, detail))
	}
}

// run runs kcat with a standard input and returns what it printed.
func (k *kcat) run(ctx context.Context, stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.path, append([]string{"-b", k.cfg.Brokers, "-q"}, args...)...)
	var out, wrong bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = strings.NewReader(stdin), &out, &wrong, time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kcat %s: %w: %s", strings.Join(args, " "), errors.Join(err, ctx.Err()), tail(wrong.Bytes()))
	}
	return out.String(), nil
}

// consume reads a topic to its end.
func (k *kcat) consume(ctx context.Context, topic string, args ...string) ([]string, error) {
	out, err := k.run(ctx, "", append([]string{"-C", "-t", topic, "-o", "beginning", "-e"}, args...)...)
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(out, "\n"), "\n"), nil
}

// topic makes a topic: kcat can't.
func (k *kcat) topic(ctx context.Context, name string, partitions int32) (string, error) {
	name = k.cfg.Prefix + "." + name
	if _, err := k.l.adm.CreateTopic(ctx, partitions, 1, nil, name); err != nil {
		return "", fmt.Errorf("creating %s: %w", name, err)
	}
	return name, nil
}

func (k *kcat) metadata(ctx context.Context) (string, error) {
	out, err := k.run(ctx, "", "-L", "-t", k.cfg.Calls)
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(`topic "([^"]+)" with (\d+) partitions`).FindStringSubmatch(out)
	if m == nil || m[1] != k.cfg.Calls {
		return "", fmt.Errorf("%s is not listed: %s", k.cfg.Calls, tail([]byte(out)))
	}
	return m[2] + " partitions", nil
}

// produce sends a call of each tenant, from a file: a record in Avro may hold a newline.
func (k *kcat) produce(ctx context.Context, kind string, args ...string) (string, error) {
	n := 0
	for tenant := range k.l.tenants {
		ended, length, outcome := time.Now().UnixMilli(), int32(90), "Connected"
		value, err := k.l.codec.Append(nil, k.cfg.Calls, &schemas.CallEvent{
			CallID: fmt.Sprintf("%s-%s-%d", k.cfg.Prefix, kind, n), Revision: 1, Direction: "outbound", StartedAt: ended - 90_000, EndedAt: &ended,
			DurationSeconds: &length, FromNumber: "+14155550100", ToNumber: "+14155551234", AgentEmail: "rep@example.com", Disposition: &outcome,
		})
		if err != nil {
			return "", err
		}
		file := filepath.Join(k.dir, tenant+".avro")
		if err := os.WriteFile(file, value, 0o600); err != nil {
			return "", err
		}
		if _, err := k.run(ctx, "", append([]string{"-P", "-t", k.cfg.Calls, "-k", tenant}, append(args, file)...)...); err != nil {
			return "", err
		}
		n++
	}
	found, err := k.l.calls(ctx, k.cfg, kind)
	if err != nil {
		return "", err
	}
	elsewhere := 0
	for _, f := range found {
		if f.partition != k.l.tenants[f.tenant] {
			elsewhere++
		}
	}
	if elsewhere > 0 || len(found) != n {
		return "", fmt.Errorf("of %d calls %d are there, %d of them in other partitions than their tenant's", n, len(found), elsewhere)
	}
	return strings.TrimSpace(fmt.Sprintf("%d calls %s", n, strings.TrimPrefix(strings.Join(args, " "), "-X "))), nil
}

func (k *kcat) read(ctx context.Context) (string, error) {
	got, err := k.consume(ctx, k.cfg.Sync, "-r", k.cfg.Registry, "-s", "value=avro")
	if err != nil {
		return "", err
	}
	all := strings.Join(got, "\n")
	for key, id := range k.cfg.Samples {
		if !strings.Contains(all, id) {
			return "", fmt.Errorf("%s is not among the records", key)
		}
	}
	return fmt.Sprintf("%d records of %s", len(k.cfg.Samples), k.cfg.Sync), nil
}

func (k *kcat) compression(ctx context.Context) (string, error) {
	topic, err := k.topic(ctx, "compression", 1)
	if err != nil {
		return "", err
	}
	codecs := []string{"none", "gzip", "snappy", "lz4", "zstd"}
	var sent []string
	for _, codec := range codecs {
		line := strings.Repeat(codec+" ", 200)
		if _, err := k.run(ctx, line+"\n", "-P", "-t", topic, "-z", codec); err != nil {
			return "", err
		}
		sent = append(sent, line)
	}
	got, err := k.consume(ctx, topic)
	if err != nil {
		return "", err
	}
	if !slices.Equal(got, sent) {
		return "", errors.New("what was read is not what was sent")
	}
	return strings.Join(codecs, ", "), nil
}

func (k *kcat) transaction(ctx context.Context) (string, error) {
	topic, err := k.topic(ctx, "transaction", 1)
	if err != nil {
		return "", err
	}
	if _, err := k.run(ctx, "kept 0\nkept 1\n", "-P", "-t", topic, "-X", "transactional.id="+topic); err != nil {
		return "", err
	}
	// kcat commits what it is given and knows no abort: that is another producer's.
	if err := k.aborted(ctx, topic, "dropped"); err != nil {
		return "", err
	}
	if _, err := k.run(ctx, "last\n", "-P", "-t", topic, "-X", "transactional.id="+topic); err != nil {
		return "", err
	}
	for isolation, want := range map[string][]string{"read_committed": {"kept 0", "kept 1", "last"}, "read_uncommitted": {"kept 0", "kept 1", "dropped", "last"}} {
		got, err := k.consume(ctx, topic, "-X", "isolation.level="+isolation)
		if err != nil {
			return "", err
		}
		if !slices.Equal(got, want) {
			return "", fmt.Errorf("%s shows %v", isolation, got)
		}
	}
	return "it commits; read_committed shows no aborted records", nil
}

func (k *kcat) aborted(ctx context.Context, topic, value string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(k.cfg.Brokers, ",")...), kgo.TransactionalID(topic+".aborted"))
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr(); err != nil {
		return err
	}
	return cl.EndTransaction(ctx, kgo.TryAbort)
}

func (k *kcat) offsets(ctx context.Context) (string, error) {
	topic, err := k.topic(ctx, "admin-offsets", 1)
	if err != nil {
		return "", err
	}
	if _, err := k.run(ctx, strings.Repeat("x\n", 10), "-P", "-t", topic); err != nil {
		return "", err
	}
	for at, want := range map[string]int{"-2": 0, "-1": 10, "1": 0} { // earliest, latest, the first after 1970
		out, err := k.run(ctx, "", "-Q", "-t", topic+":0:"+at)
		if err != nil {
			return "", err
		}
		if !strings.HasSuffix(strings.TrimSpace(out), fmt.Sprintf("offset %d", want)) {
			return "", fmt.Errorf("asked for %s it says %s", at, oneLine(out))
		}
	}
	return "earliest, latest, by time", nil
}

// group lets two kcats share a topic; a third finds nothing left to do.
func (k *kcat) group(ctx context.Context, name, strategy string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*wait)
	defer cancel()
	topic, err := k.topic(ctx, name, 6)
	if err != nil {
		return "", err
	}
	if err := k.fill(ctx, topic, "early"); err != nil {
		return "", err
	}
	var members [3]*member
	defer func() {
		for _, m := range members {
			if m != nil {
				m.stop()
			}
		}
	}()
	join := func(i int) { members[i] = k.join(ctx, topic, strategy) }
	records := func() int {
		seen := make(map[string]bool)
		for _, m := range members[:2] {
			m.collect(seen)
		}
		return len(seen)
	}
	join(0)
	join(1)
	if err := until(ctx, func() string {
		a, b := members[0].assigned(), members[1].assigned()
		if a == 3 && b == 3 && records() == 60 {
			return ""
		}
		return fmt.Sprintf("the members have %d and %d of 6 partitions and %d of 60 records", a, b, records())
	}); err != nil {
		return "", err
	}
	if err := k.fill(ctx, topic, "late"); err != nil {
		return "", err
	}
	if err := until(ctx, func() string {
		if records() == 120 {
			return ""
		}
		return fmt.Sprintf("%d of 120 records came", records())
	}); err != nil {
		return "", err
	}
	members[0].stop()
	members[1].stop()
	committed, err := k.l.adm.FetchOffsets(ctx, topic)
	if err != nil {
		return "", err
	}
	var sum int64
	committed.Each(func(o kadm.OffsetResponse) { sum += o.At })
	if sum != 120 {
		return "", fmt.Errorf("%d of 120 records are committed", sum)
	}
	join(2)
	if err := until(ctx, func() string {
		if members[2].assigned() == 6 {
			return ""
		}
		return "the third member was given nothing"
	}); err != nil {
		return "", err
	}
	if err := k.fill(ctx, topic, "last"); err != nil {
		return "", err
	}
	seen := make(map[string]bool)
	if err := until(ctx, func() string {
		if members[2].collect(seen); len(seen) >= 60 {
			return ""
		}
		return "nothing new came to the third member"
	}); err != nil {
		return "", err
	}
	for value := range seen {
		if !strings.HasPrefix(value, "last") {
			return "", fmt.Errorf("a committed record came again: %s", value)
		}
	}
	return "180 records, 6 partitions shared 3 and 3", nil
}

// fill sends 60 lines, ten to each of 6 partitions.
func (k *kcat) fill(ctx context.Context, topic, what string) error {
	for p := range 6 {
		var in strings.Builder
		for n := range 10 {
			fmt.Fprintf(&in, "%s %d %d\n", what, p, n)
		}
		if _, err := k.run(ctx, in.String(), "-P", "-t", topic, "-p", strconv.Itoa(p)); err != nil {
			return err
		}
	}
	return nil
}

// until asks until nothing is wrong any more.
func until(ctx context.Context, wrong func() string) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		what := wrong()
		if what == "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New(what)
		}
	}
}

// member is a kcat that reads in a group.
type member struct {
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	out []byte // records, one a line
	log []byte // what it says of its partitions
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

func (k *kcat) join(ctx context.Context, topic, strategy string) *member {
	m := &member{done: make(chan struct{})}
	m.cmd = exec.CommandContext(ctx, k.path, "-b", k.cfg.Brokers, "-G", topic, topic, "-u", "-X", "auto.offset.reset=earliest",
		"-X", "partition.assignment.strategy="+strategy, "-X", "session.timeout.ms=10000", "-X", "heartbeat.interval.ms=500")
	m.cmd.SysProcAttr = kafkalane.OwnGroup()
	m.cmd.Stdout = writer(func(p []byte) { m.mu.Lock(); m.out = append(m.out, p...); m.mu.Unlock() })
	m.cmd.Stderr = writer(func(p []byte) { m.mu.Lock(); m.log = append(m.log, p...); m.mu.Unlock() })
	m.cmd.WaitDelay = time.Second
	go func() {
		defer close(m.done)
		_ = kafkalane.Attached(m.cmd) // a member that ended gets no records
	}()
	return m
}

// collect adds the records that came, each a whole line.
func (m *member) collect(into map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for line := range strings.Lines(string(m.out)) {
		if value, whole := strings.CutSuffix(line, "\n"); whole {
			into[value] = true
		}
	}
}

var (
	eager       = regexp.MustCompile(`\): (assigned|revoked): (.*)`)
	incremental = regexp.MustCompile(`incremental (assignment|revoke) of (\d+) partition`)
)

// assigned is how many partitions the member has by its own log.
func (m *member) assigned() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for line := range strings.Lines(string(m.log)) {
		if f := eager.FindStringSubmatch(line); f != nil {
			if n = 0; f[1] == "assigned" {
				n = strings.Count(f[2], "[")
			}
		}
		if f := incremental.FindStringSubmatch(line); f != nil {
			by, _ := strconv.Atoi(f[2])
			if f[1] == "revoke" {
				by = -by
			}
			n += by
		}
	}
	return n
}

// stop lets the member commit and leave.
func (m *member) stop() {
	select {
	case <-m.done:
		return
	default:
	}
	if m.cmd.Process != nil {
		_ = m.cmd.Process.Signal(syscall.SIGINT)
	}
	select {
	case <-m.done:
	case <-time.After(wait):
		_ = m.cmd.Process.Kill()
		<-m.done
	}
}
