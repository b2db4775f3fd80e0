package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/cmd/crmstream/status"
	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/connectors/host"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/near"
	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/pipeline/run/embedded"
	"github.com/crmstream/crmstream/pipeline/script"
	"github.com/crmstream/crmstream/pipeline/task"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/schemas/registry"
	"github.com/crmstream/crmstream/state/disk"
)

// stopWithin bounds a clean stop.
const stopWithin = 20 * time.Second

// Process is a running pipeline.
type Process struct {
	cfg     *config.Config
	log     *slog.Logger
	broker  *embedded.Broker
	db      *disk.DB
	host    *host.Host
	scripts *script.Host
	runner  *run.Runner
	codec   *registry.Codec
	brokers []string
	regURL  string
	task    pipeline.Task
	http    net.Listener
	server  *http.Server
	advice  []string
}

// Start puts a process together; Run runs it and Close takes it apart. Everything
// that can be wrong is said before anything works. opts change the task: tests do.
func Start(ctx context.Context, cfg *config.Config, log *slog.Logger, opts ...task.Option) (_ *Process, err error) {
	p := &Process{cfg: cfg, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close(ctx))
		}
	}()
	if err := knownCRMs(cfg); err != nil {
		return p, err
	}
	ports := []Port{{"the API", cfg.HTTP.Listen, "http.listen"}}
	if cfg.IsEmbedded() {
		ports = append(ports, Port{"the broker", cfg.Embedded.Listen, "embedded.listen"}, Port{"the registry", cfg.Embedded.Registry, "embedded.registry"})
	}
	if err := CheckPorts(ports...); err != nil {
		return p, err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return p, fmt.Errorf("making the data folder: %w", err)
	}
	if p.http, err = net.Listen("tcp", cfg.HTTP.Listen); err != nil {
		return p, fmt.Errorf("listening for the API: %w", err)
	}
	p.brokers, p.regURL = cfg.Kafka.Brokers, cfg.Kafka.Registry
	if cfg.IsEmbedded() {
		p.broker, err = embedded.Start(ctx, embedded.Config{Dir: filepath.Join(cfg.Data, "broker"), Listen: cfg.Embedded.Listen,
			RegistryListen: cfg.Embedded.Registry, Partitions: int32(cfg.Kafka.Partitions), Logger: log})
		if err != nil {
			return p, err
		}
		p.brokers, p.regURL = []string{p.broker.Addr()}, p.broker.RegistryURL()
	}
	if err := p.prepare(ctx); err != nil {
		return p, err
	}
	instance, err := instanceID(cfg.Data)
	if err != nil {
		return p, err
	}
	if p.db, err = disk.Open(disk.Options{Dir: filepath.Join(cfg.Data, "state"), Logger: log}); err != nil {
		return p, err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	providers := all.Providers()
	var profiles []*profile.Profile
	for _, pr := range providers {
		profiles = append(profiles, pr.Profile())
	}
	p.host, err = host.New(host.Config{
		Providers: providers, Brokers: p.brokers, Codec: p.codec, Partitions: int32(cfg.Kafka.Partitions), PublicURL: cfg.HTTP.PublicURL,
		Env:           connectors.Env{HTTP: httpClient(), Servers: cfg.Servers, Secret: config.Secret, Now: time.Now, Log: log},
		WebhookSecret: p.webhookSecret, Log: log, Metrics: metrics,
	})
	if err != nil {
		return p, err
	}
	p.scripts = script.New(script.Options{})
	p.task = task.New(profiles, append(opts, task.WithScripts(p.scripts))...)
	p.runner, err = run.New(run.Config{
		Brokers: p.brokers, Opts: []kgo.Opt{kgo.ClientID(status.ClientIDPrefix + advertised(p.http.Addr()))}, Group: cfg.Kafka.Group, Instance: instance, Static: true, Dir: cfg.Data, RefuseForeignState: true, Session: cfg.Kafka.Session, Partitions: int32(cfg.Kafka.Partitions),
		Codec: p.codec, Task: p.task, Effects: p.host, DB: p.db, Log: log, Metrics: metrics,
	})
	if err != nil {
		return p, err
	}
	p.serveMetrics(metrics)
	return p, nil
}

// knownCRMs looks whether the webhooks' secrets are of CRMs that there are: of another
// name nothing would ever be heard.
func knownCRMs(cfg *config.Config) error {
	var known []string
	for _, p := range all.Providers() {
		known = append(known, p.Name())
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Webhooks)) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("nothing was started: webhooks in the configuration names the CRM %q: %s", name, near.DidYouMean(name, known))
		}
	}
	return nil
}

// advertised is where other machines reach a listener: its own address, or this
// machine's name where it listens on all.
func advertised(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return a.String()
	}
	name, err := os.Hostname()
	if err != nil {
		return a.String()
	}
	return net.JoinHostPort(name, strconv.Itoa(tcp.Port))
}

// prepare makes sure that topics and schemas are there. On a cluster that is not
// ours they are checked; crmstream topics create makes them.
func (p *Process) prepare(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.brokers...), kgo.ClientID("crmstream-start"), kgo.RetryTimeout(20*time.Second))
	if err != nil {
		return fmt.Errorf("connecting to Kafka at %s: %w", strings.Join(p.brokers, ","), err)
	}
	defer cl.Close()
	pctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := cl.Ping(pctx); err != nil {
		return fmt.Errorf("Kafka at %s does not answer: %w", strings.Join(p.brokers, ","), err)
	}
	if p.broker != nil {
		if err := run.EnsureTopics(pctx, cl, int32(p.cfg.Kafka.Partitions), 1); err != nil {
			return err
		}
	}
	n, err := run.CheckTopics(pctx, cl)
	if err != nil {
		return fmt.Errorf("the topics are not as they should be: %w", err)
	}
	if int(n) != p.cfg.Kafka.Partitions {
		return fmt.Errorf("the topics have %d partitions, kafka.partitions says %d: set it to %d (another number is a migration)", n, p.cfg.Kafka.Partitions, n)
	}
	if p.broker == nil {
		if p.advice, err = run.Advise(pctx, cl); err != nil {
			p.log.Info("the brokers do not tell their settings", "why", err) // it works without
		}
	}
	p.codec = registry.NewCodec(p.regURL)
	return p.codec.Register(pctx)
}

// httpClient is what connectors send requests with: strict TLS, no redirects,
// limits on everything that can wait.
func httpClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	t.ResponseHeaderTimeout = 120 * time.Second // long polls answer after 110 s
	t.TLSHandshakeTimeout = 10 * time.Second
	t.MaxResponseHeaderBytes = 256 << 10
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (p *Process) webhookSecret(ctx context.Context, provider, app string) (string, error) {
	ref, ok := p.cfg.Webhooks[provider][app]
	if !ok {
		return "", host.ErrUnknownApp
	}
	return config.Secret(ctx, ref)
}

// instanceID is the id of this data folder: the same over restarts.
func instanceID(dir string) (string, error) {
	path := filepath.Join(dir, "instance")
	b, err := os.ReadFile(path)
	if err == nil && len(b) >= 8 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("reading the instance id: %w", err)
	}
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", err
	}
	if err := os.WriteFile(path, []byte(hex.EncodeToString(id[:])+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing the instance id: %w", err)
	}
	return hex.EncodeToString(id[:]), nil
}

// Addresses say where a process can be reached.
type Addresses struct{ Broker, Registry, HTTP string }

// Addresses returns where the process is reached.
func (p *Process) Addresses() Addresses {
	return Addresses{strings.Join(p.brokers, ","), p.regURL, "http://" + p.http.Addr().String()}
}

// Advice returns a line for each setting of the brokers that costs something.
func (p *Process) Advice() []string { return p.advice }

// Codec returns the process's codec.
func (p *Process) Codec() *registry.Codec { return p.codec }

// Status returns what the shell says of itself.
func (p *Process) Status() run.Status { return p.runner.Status() }

func (p *Process) serveMetrics(reg *prometheus.Registry) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /api/status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(p.runner.Status())
	})
	if x, ok := p.task.(task.Explainer); ok {
		e := &explainer{token: p.cfg.HTTP.Token, partitions: int32(p.cfg.Kafka.Partitions),
			owned: func() []run.PartitionStatus { return p.runner.Status().Partitions }, store: p.db.Store, task: x, now: time.Now}
		mux.Handle("GET /api/tenants/{tenant}/explain", e)
		if f, ok := p.task.(task.Describer); ok {
			mux.Handle("GET /api/tenants/{tenant}/fields", &fielder{e, f})
		}
	}
	mux.Handle("/webhooks/", p.host.WebhookHandler())
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)}
}

// Run works until ctx ends or something cannot go on.
func (p *Process) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.runner.Run(ctx) })
	g.Go(func() error { return p.host.Run(ctx) })
	g.Go(func() error {
		if err := p.server.Serve(p.http); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving the API: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		sctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return p.server.Shutdown(sctx)
	})
	return g.Wait()
}

// Close takes the process apart, in the reverse order.
func (p *Process) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	var err error
	if p.host != nil {
		err = errors.Join(err, p.host.Close(ctx))
	}
	if p.scripts != nil {
		p.scripts.Close()
	}
	if p.db != nil {
		err = errors.Join(err, p.db.Close())
	}
	if p.broker != nil {
		err = errors.Join(err, p.broker.Close(ctx))
	}
	if p.http != nil {
		_ = p.http.Close()
	}
	return err
}
