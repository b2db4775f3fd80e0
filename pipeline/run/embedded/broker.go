package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/crmstream/crmstream/schemas/registry"
)

// Config says where the broker keeps its data and listens.
type Config struct {
	Dir string
	// Listen and RegistryListen are HOST:PORT; port 0 takes any that is free.
	Listen, RegistryListen string
	// Partitions of a topic that is created without a number.
	Partitions int32
	Logger     *slog.Logger
}

// maxFetch bounds the answer of one fetch, leastFetch what each partition may have of
// it: clients that do not read keep it in our memory.
const (
	maxFetch   = 8 << 20
	leastFetch = 64 << 10
)

// boundFetch bounds an answer by its partitions, and never by its whole: where the
// broker reaches the bound of the whole amid a partition, it leaves out which of the
// partition's transactions were aborted, and a read_committed reader sees them.
func boundFetch(f *kmsg.FetchRequest) {
	n := 0
	for i := range f.Topics {
		n += len(f.Topics[i].Partitions)
	}
	most := int32(max(leastFetch, maxFetch/max(1, n)))
	if f.MaxBytes > 0 {
		most = min(most, f.MaxBytes)
	}
	f.MaxBytes = math.MaxInt32
	for i := range f.Topics {
		for j := range f.Topics[i].Partitions {
			p := &f.Topics[i].Partitions[j]
			if p.PartitionMaxBytes <= 0 || p.PartitionMaxBytes > most {
				p.PartitionMaxBytes = most
			}
		}
	}
}

// Broker is a running broker with its registry.
type Broker struct {
	dir      string
	boot     Boot
	file     bootFile
	lock     *os.File
	log      *slog.Logger
	cluster  *kfake.Cluster
	own      *kgo.Client // of the running broker; it connects when it is needed
	registry *registry.Server
	http     *http.Server
	url      string
	served   chan error
	said     *complaints

	closing  sync.Once
	closeErr error
}

// Start opens the folder, or makes it, and serves until Close.
func Start(ctx context.Context, cfg Config) (_ *Broker, err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Broker{dir: cfg.Dir, log: cfg.Logger, served: make(chan error, 1), said: &complaints{log: cfg.Logger}}
	defer func() {
		if err != nil {
			// What an unclean end left is not mended yet: the next start must know of it.
			err = errors.Join(fmt.Errorf("starting the embedded broker: %w", err), b.release(b.boot.Clean))
		}
	}()
	if b.lock, err = lockDir(cfg.Dir); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("the broker's address %q: %w", cfg.Listen, err)
	}
	portNumber, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("the broker's port %q: %w", port, err)
	}
	// Both ports are taken before anything of the folder is touched.
	kafkaListener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening for Kafka clients: %w", err)
	}
	registryListener, err := net.Listen("tcp", cfg.RegistryListen)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening for registry clients: %w", err), kafkaListener.Close())
	}
	if b.boot, b.file, err = nextBoot(cfg.Dir); err != nil {
		return nil, errors.Join(err, kafkaListener.Close(), registryListener.Close())
	}
	if err := recoverFiles(cfg.Dir); err != nil {
		return nil, errors.Join(err, kafkaListener.Close(), registryListener.Close())
	}
	guard := newGuardListener(kafkaListener)
	b.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(1), kfake.WithLogger(b.said), kfake.Ports(portNumber), kfake.DataDir(filepath.Join(cfg.Dir, kafkaDir)),
		kfake.DefaultNumPartitions(int(cfg.Partitions)), kfake.GroupMinSessionTimeout(time.Second), kfake.MaxVersions(versions()),
		kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": never, "group.min.session.timeout.ms": "1000"}),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return guard, nil }),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", cfg.Dir, err), kafkaListener.Close(), registryListener.Close())
	}
	if b.own, err = ownClient(b.Addr()); err != nil {
		return nil, errors.Join(err, registryListener.Close())
	}
	b.cluster.ControlKey(int16(kmsg.InitProducerID), b.initProducer(guard))
	b.cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		if f, ok := r.(*kmsg.FetchRequest); ok {
			boundFetch(f)
		}
		return nil, nil, false
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ClientID("crmstream-embedded"), kgo.ProducerLinger(0), kgo.RecordDeliveryTimeout(10*time.Second), kgo.Dialer(guard.dial))
	if err != nil {
		return nil, errors.Join(err, registryListener.Close())
	}
	defer cl.Close()
	end := b.endTransactions
	if !b.boot.Clean {
		end = closeTransactions
	}
	if err := end(ctx, cl); err != nil {
		return nil, errors.Join(err, registryListener.Close())
	}
	if err := b.compact(time.Now()); err != nil {
		return nil, errors.Join(err, registryListener.Close())
	}
	if err := b.publish(ctx, cl); err != nil {
		return nil, errors.Join(err, registryListener.Close())
	}
	close(guard.ready)
	if b.registry, err = registry.NewServer(ctx, registry.ServerConfig{Brokers: []string{b.Addr()}, Logger: cfg.Logger}); err != nil {
		return nil, errors.Join(err, registryListener.Close())
	}
	b.url = "http://" + registryListener.Addr().String()
	b.http = &http.Server{
		Handler: b.registry.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	go func() { b.served <- b.http.Serve(registryListener) }()
	return b, nil
}

// versions are those that foreign clients of all kinds get on with: Java's admin
// client cannot read CreateTopics from version 5 on, nor DescribeTopicPartitions,
// and telemetry is nothing that this broker has.
func versions() *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(int16(kmsg.CreateTopics), 4)
	for _, key := range []kmsg.Key{kmsg.GetTelemetrySubscriptions, kmsg.PushTelemetry, kmsg.DescribeTopicPartitions} {
		v.SetMaxKeyVersion(int16(key), -1)
	}
	return v
}

// Addr is the address of the broker.
func (b *Broker) Addr() string { return b.cluster.ListenAddrs()[0] }

// RegistryURL is the base URL of the registry.
func (b *Broker) RegistryURL() string { return b.url }

// Boot is this start's number.
func (b *Broker) Boot() int64 { return b.boot.Boot }

// Close ends registry and broker and marks the folder as cleanly closed. Called
// again, it returns what it returned first.
func (b *Broker) Close(ctx context.Context) error {
	b.closing.Do(func() { b.closeErr = b.close(ctx) })
	return b.closeErr
}

func (b *Broker) close(ctx context.Context) error {
	err := b.http.Shutdown(ctx)
	if serr := <-b.served; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	if err := errors.Join(err, b.release(true)); err != nil {
		return fmt.Errorf("closing the embedded broker: %w", err)
	}
	return nil
}

func (b *Broker) release(clean bool) error {
	if b.registry != nil {
		b.registry.Close()
	}
	if b.own != nil {
		b.own.Close()
	}
	var err error
	if b.cluster != nil {
		b.cluster.Close()
		b.file.Closed = clean
		err = writeBoot(b.dir, b.file)
	}
	if b.lock != nil {
		err = errors.Join(err, b.lock.Close())
	}
	return err
}
