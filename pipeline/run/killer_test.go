package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state/mem"
)

// deadly is a task that one call ends the process with: a stack that overflows is
// nothing that recover catches.
type deadly struct{ counter }

func (d deadly) Step(tx *pipeline.Tx, in *pipeline.Record) error {
	if call := in.Decoded.(*schemas.CallEvent); call.Direction == "deadly" {
		return overflow(tx)
	}
	return d.counter.Step(tx, in)
}

func overflow(tx *pipeline.Tx) error { return errorsOf(overflow(tx), overflow(tx)) } //nolint:staticcheck // it is meant to

func errorsOf(a, _ error) error { return a }

const childBroker = "CRMSTREAM_TEST_CHILD_BROKER"

// The process that TestARecordThatEndsTheProcess starts.
func TestChildOfDeadly(t *testing.T) {
	addr := os.Getenv(childBroker)
	if addr == "" {
		t.Skip("it is started by TestARecordThatEndsTheProcess")
	}
	debug.SetMaxStack(1 << 20)
	r, err := New(Config{Brokers: []string{addr}, Instance: "a", Partitions: testN, Codec: &jsonCodec{}, Task: deadly{},
		Effects: believer{&believers{who: make(map[int32]string)}, "a"}, DB: mem.New(), Session: time.Second, Dir: os.Getenv("CRMSTREAM_TEST_CHILD_DIR")})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// A record that ends the process is a dead letter at the third start; what stands
// before it and behind it is applied, once, and a replay leaves it out too (P5).
func TestARecordThatEndsTheProcess(t *testing.T) {
	h := newHarness(t)
	h.send("acme", -1, 2, "")
	h.send("acme", -1, 1, "deadly")
	h.send("acme", -1, 3, "")
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestChildOfDeadly$", "-test.timeout", "60s")
		cmd.Env = append(os.Environ(), childBroker+"="+h.addrs[0], "CRMSTREAM_TEST_CHILD_DIR="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	for i := range 2 {
		if err := start().Wait(); err == nil {
			t.Fatalf("start %d did not end with an error", i+1)
		}
	}
	third := start()
	h.counted(map[string]int{"acme": 5})
	var d schemas.DeadLetter
	if err := json.Unmarshal(h.read(schemas.TopicDeadLetters, 1)[0].Value, &d); err != nil {
		t.Fatal(err)
	}
	if d.Reason != schemas.ReasonProcessKiller || d.Offset != 2 || len(d.Value) == 0 {
		t.Errorf("dead letter: %s of offset %d, %d bytes", d.Reason, d.Offset, len(d.Value))
	}
	if err := third.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = third.Wait()
	rep, err := Replay(h.ctx(), ReplayConfig{Brokers: h.addrs, Codec: h.codec, Task: deadly{}, Partitions: testN})
	if err != nil || len(rep.Differences) > 0 {
		t.Errorf("replay: %v %v", rep, err)
	}
}

// Only a process that ended amid the rules' work is suspected, and what went on is
// forgotten.
func TestKillersAreSuspectedAtWorkAlone(t *testing.T) {
	dir := t.TempDir()
	open := func() *killers {
		t.Helper()
		k, err := openKillers(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = k.close() })
		return k
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(next int64) *positions { return &positions{Next: map[string]int64{"calls": next}} }
	suspect := func(k *killers, p int32, next int64) bool {
		t.Helper()
		s, err := k.suspect(p, at(next))
		must(err)
		return s
	}
	calls := func(place string, through int64) work { return work{place, map[string]int64{"calls": through}} }
	k := open()
	must(k.begin(1, calls("", 7)))
	must(k.begin(2, calls("", 9)))
	must(k.done(2))
	k = open() // it ended here
	if !suspect(k, 1, 7) || suspect(k, 2, 0) {
		t.Errorf("%+v", k.known)
	}
	must(k.begin(1, calls("calls-1@5", 5)))
	must(k.done(1))
	must(k.begin(1, calls("calls-1@6", 6)))
	k = open() // and here
	if k.died("calls-1@5") != 0 || k.died("calls-1@6") != 1 || !suspect(k, 1, 7) {
		t.Errorf("%+v", k.known)
	}
	if suspect(k, 1, 8) {
		t.Error("what went on is suspected still")
	}
	k = open()
	if suspect(k, 1, 0) || k.died("calls-1@6") != 0 {
		t.Errorf("what went on is not forgotten: %+v", k.known)
	}
}

// failing is a task that cannot read its state at one call.
type failing struct{ counter }

func (f failing) Step(tx *pipeline.Tx, in *pipeline.Record) error {
	if call := in.Decoded.(*schemas.CallEvent); call.Direction == "fail" {
		return errors.New("state can't be read")
	}
	return f.counter.Step(tx, in)
}

// While a suspected partition's records are looked at one by one, a transaction is
// taken back for another partition's sake: what waits is not lost (P5).
func TestWhatWaitsAloneSurvivesAnAbort(t *testing.T) {
	h := newHarness(t)
	h.task = failing{}
	p := schemas.PartitionOf("acme", testN)
	other := "beta"
	for schemas.PartitionOf(other, testN) == p {
		other += "a"
	}
	slow := func() { time.Sleep(20 * time.Millisecond) } // so that the failure comes amid them
	h.codec.amid.Store(&slow)
	h.send("acme", -1, 40, "")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "at-work"), fmt.Appendf(nil, "1{\"%d\":{\"place\":\"\",\"through\":{\"dialer.calls\":39}}}\n", p), 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ := h.start("a", mem.New(), func(c *Config) { c.Dir = dir })
	h.eventually("some are applied", func() bool { return r.Status().Records >= 5 })
	h.send(other, -1, 1, "fail")
	h.eventually("the other is refused", func() bool { return len(r.Status().Refused) == 1 })
	h.send("acme", -1, 2, "")
	h.counted(map[string]int{"acme": 42})
}
