package kafkalane

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var lane = flag.Bool("lane", false, "start the real parts")

// What Maven brings is used only if it is what is pinned.
func TestCheckNamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		sum, err := sum256(file)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	good := fmt.Sprintf("%s  a.jar\n%s  b.jar\n", write("a.jar", "a"), write("b.jar", "b"))
	if err := check(dir, good); err != nil {
		t.Fatal(err)
	}
	for want, sums := range map[string]string{
		"b.jar came":        good[:strings.Index(good, "\n")+1],
		"c.jar did not":     good + strings.Repeat("0", 64) + "  c.jar\n",
		"SHA256SUMS says 0": strings.Repeat("0", 64) + "  a.jar\n",
		"is no line":        "a.jar\n",
	} {
		if err := check(dir, sums); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// The pinned versions are those that the sums are of.
func TestSumsAreOfThePinnedVersions(t *testing.T) {
	for _, name := range []string{"kafka_2.13-" + KafkaVersion + ".jar", "kafka-tools-" + KafkaVersion + ".jar", "apicurio-registry-app-" + RegistryVersion + "-all.tar.gz"} {
		if !strings.Contains(sums, "  "+name+"\n") {
			t.Errorf("SHA256SUMS does not name %s", name)
		}
	}
	b, err := pom()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<version>" + KafkaVersion + "</version>", "<classifier>all</classifier>", "<groupId>*</groupId>"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the POM has no %s:\n%s", want, b)
		}
	}
}

// A client must never be given a broker's port as its own.
func TestPortsAreNotThoseOfClients(t *testing.T) {
	ports, err := freePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[int]bool)
	for _, p := range ports {
		if p < 20000 || p >= 32000 || seen[p] {
			t.Errorf("port %d of %v", p, ports)
		}
		seen[p] = true
	}
}

// What was acknowledged is there after a kill, at the same address; nothing is left
// after Close.
func TestKilledBrokerComesBack(t *testing.T) {
	if !*lane {
		t.Skip("starts Apache Kafka: -args -lane")
	}
	l, err := Start(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(l.Broker), kgo.ConsumeTopics("kept"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, nil, "kept"); err != nil {
		t.Fatal(err)
	}
	const n = 3
	for i := range n {
		rec := &kgo.Record{Topic: "kept", Value: fmt.Append(nil, i)}
		if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
		l.Kafka.Kill()
		began := time.Now()
		if err := l.Kafka.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("back after %v", time.Since(began).Round(time.Millisecond))
	}
	var got string
	for len(got) < n {
		fs := cl.PollFetches(t.Context())
		if err := fs.Err0(); err != nil {
			t.Fatal(err)
		}
		fs.EachRecord(func(r *kgo.Record) { got += string(r.Value) })
	}
	if got != "012" {
		t.Errorf("read %s", got)
	}
	pids := []int{l.Kafka.cmd.Process.Pid, l.Registry.cmd.Process.Pid}
	l.Close()
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("process %d: %v", pid, err)
		}
	}
	if _, err := os.Stat(l.Dir); !os.IsNotExist(err) {
		t.Errorf("%s is left", l.Dir)
	}
}
