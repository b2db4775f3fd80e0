package kafkalane

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Names of the environment variables that tests read.
const (
	EnvBrokers  = "CRMSTREAM_TEST_BROKERS"  // host:port, separated by commas
	EnvRegistry = "CRMSTREAM_TEST_REGISTRY" // base URL of the Confluent API
)

// Config says which parts run and how.
type Config struct {
	// Defaults leaves deploy/kafka/broker.properties out: the broker runs with its own
	// settings but for what a single node needs.
	Defaults bool
	// NoRegistry starts the broker alone.
	NoRegistry bool
	// Settings are further settings of the broker; they win over the files.
	Settings map[string]string
}

// Lane is a running broker and registry.
type Lane struct {
	// Kafka is the broker: Kill and Start it as often as you like, its data and address
	// stay.
	Kafka *Part
	// Registry is nil with NoRegistry. It keeps its schemas in memory: after Kill and
	// Start they have to be registered again.
	Registry *Part

	// Broker is the broker's host:port, RegistryURL the base of the Confluent API.
	Broker, RegistryURL string
	// Dir has data, configuration and logs; Close removes it.
	Dir string
}

// Start fetches what is missing, starts the parts and returns once they answer. The
// caller closes the lane.
func Start(ctx context.Context, cfg Config) (*Lane, error) {
	parts, err := artifacts(ctx)
	if err != nil {
		return nil, err
	}
	for tries := 0; ; tries++ {
		l, err := start(ctx, cfg, parts)
		if err == nil {
			return l, nil
		}
		// A port that was free can be taken before its part has it: others are tried.
		if tries == 2 || !errors.Is(err, errEnded) || ctx.Err() != nil {
			return nil, err
		}
	}
}

func start(ctx context.Context, cfg Config, parts string) (l *Lane, err error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	l = &Lane{Broker: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	if l.Dir, err = os.MkdirTemp("", "crmstream-kafka-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			var logs strings.Builder
			l.Logs(&logs)
			l.Close()
			err = fmt.Errorf("%w\n%s", err, logs.String())
		}
	}()
	if err := l.prepareKafka(ctx, cfg, parts, ports[1]); err != nil {
		return l, err
	}
	starting := []*Part{l.Kafka}
	if !cfg.NoRegistry {
		l.prepareRegistry(parts, ports[2])
		starting = append(starting, l.Registry)
	}
	answers := make(chan error, len(starting))
	for _, p := range starting {
		go func() { answers <- p.Start(ctx) }()
	}
	for range starting {
		err = errors.Join(err, <-answers)
	}
	return l, err
}

// Close ends the parts and removes their data.
func (l *Lane) Close() {
	for _, p := range []*Part{l.Registry, l.Kafka} {
		if p != nil {
			p.Kill() // the data goes too: nothing to close in peace
		}
	}
	_ = os.RemoveAll(l.Dir)
}

// Environ is the parts' addresses as environment variables.
func (l *Lane) Environ() []string {
	env := []string{EnvBrokers + "=" + l.Broker}
	if l.Registry != nil {
		env = append(env, EnvRegistry+"="+l.RegistryURL)
	}
	return env
}

// Logs writes the end of both parts' logs.
func (l *Lane) Logs(w io.Writer) {
	for _, p := range []*Part{l.Kafka, l.Registry} {
		if p != nil {
			p.tail(w, 16<<10)
		}
	}
}

func (l *Lane) prepareKafka(ctx context.Context, cfg Config, parts string, controller int) error {
	files := []string{"single-node.properties"}
	if !cfg.Defaults {
		files = append(files, "broker.properties")
	}
	root, err := deployDir()
	if err != nil {
		return err
	}
	var settings strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			return err
		}
		settings.Write(b)
		settings.WriteByte('\n')
	}
	fmt.Fprintf(&settings, "listeners=PLAINTEXT://%s,CONTROLLER://127.0.0.1:%d\nadvertised.listeners=PLAINTEXT://%s\n", l.Broker, controller, l.Broker)
	fmt.Fprintf(&settings, "controller.quorum.voters=1@127.0.0.1:%d\nlog.dirs=%s\n", controller, filepath.ToSlash(filepath.Join(l.Dir, "data")))
	if !cfg.Defaults {
		// A broker that was killed may not come back before its own last registration has
		// timed out, 9 s by default: with one node that only makes tests longer.
		settings.WriteString("broker.session.timeout.ms=2000\nbroker.heartbeat.interval.ms=500\n")
	}
	for k, v := range cfg.Settings {
		fmt.Fprintf(&settings, "%s=%s\n", k, v)
	}
	server, logging := filepath.Join(l.Dir, "server.properties"), filepath.Join(l.Dir, "log4j2.properties")
	if err := os.WriteFile(server, []byte(settings.String()), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(logging, []byte(log4j), 0o600); err != nil {
		return err
	}
	classes := filepath.Join(parts, "kafka", "*")
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	id[0] = 0 // written out it must not begin with "-"
	format := exec.CommandContext(ctx, "java", heap, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dlog4j2.configurationFile="+logging, "-cp", classes,
		"kafka.tools.StorageTool", "format", "-t", base64.RawURLEncoding.EncodeToString(id), "-c", server)
	if out, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("making the broker's folder: %w\n%s", err, out)
	}
	l.Kafka = &Part{name: "Apache Kafka " + KafkaVersion, dir: l.Dir, log: filepath.Join(l.Dir, "kafka.log"), ready: l.kafkaReady,
		args: []string{heap, "-XX:+UseSerialGC", "-Dlog4j2.configurationFile=" + logging, "-cp", classes, "kafka.Kafka", server}}
	return nil
}

const log4j = `rootLogger.level = INFO
rootLogger.appenderRef.out.ref = OUT
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %-5p %m (%c{1})%n
`

// deployDir finds deploy/kafka of the repository that the working folder is in.
func deployDir() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		at := filepath.Join(dir, "deploy", "kafka")
		if _, err := os.Stat(filepath.Join(at, "single-node.properties")); err == nil {
			return at, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not within the repository: deploy/kafka is not found", wd)
		}
	}
}

// kafkaReady asks for what the first client will ask for: a broker, and the
// coordinators of groups and transactions, whose topics are made at the first
// question.
func (l *Lane) kafkaReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(l.Broker), kgo.RetryTimeout(time.Second), kgo.DialTimeout(time.Second))
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := cl.Ping(ctx); err != nil {
		return err
	}
	for _, typ := range []int8{0, 1} {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorType, req.CoordinatorKeys = typ, []string{"ready"}
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		for _, c := range resp.Coordinators {
			if err := kerr.ErrorForCode(c.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Lane) prepareRegistry(parts string, port int) {
	l.RegistryURL = fmt.Sprintf("http://127.0.0.1:%d/apis/ccompat/v7", port)
	l.Registry = &Part{name: "Apicurio Registry " + RegistryVersion, dir: l.Dir, log: filepath.Join(l.Dir, "registry.log"), ready: l.registryReady,
		args: []string{heap, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dquarkus.http.host=127.0.0.1", fmt.Sprintf("-Dquarkus.http.port=%d", port),
			"-jar", filepath.Join(parts, "registry", "apicurio-registry-app-"+RegistryVersion+"-runner.jar")}}
}

func (l *Lane) registryReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.RegistryURL+"/subjects", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /subjects: %s", resp.Status)
	}
	return nil
}
