package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/cmd/crmstream/tenants"
	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/connectors/dialer"
	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/schemas/registry"
)

// The session of the pipeline's group, and how long a process is stopped: longer.
const (
	crashSession = 4 * time.Second
	crashPause   = 6 * time.Second
)

// pipelineProcess is one `crmstream run`.
type pipelineProcess struct{ name, cfg, api string }

// broker is the address of the broker.
func (c *crashTest) broker() string {
	if c.o.Kafka != nil {
		return c.o.Kafka.Addr()
	}
	return c.a.Broker
}

func (c *crashTest) registryURL() string {
	if c.o.Kafka != nil {
		return c.o.Kafka.RegistryURL()
	}
	return "http://" + c.a.Registry
}

func (c *crashTest) start(ctx context.Context) error {
	var err error
	if c.a, err = choose(true); err != nil {
		return err
	}
	if c.w, err = newWorld(c.o.Dir, c.o.Tenants, false); err != nil {
		return err
	}
	for _, t := range c.w.tenants {
		t.url = "http://" + c.a.Salesforce
		if t.provider == hubspot {
			t.url = "http://" + c.a.HubSpot
		}
	}
	if err := writeJSON(filepath.Join(c.o.Dir, "orgs.json"), c.w.orgs()); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(c.o.Dir, "portals.json"), c.w.portals()); err != nil {
		return err
	}
	if err := c.configure(); err != nil {
		return err
	}
	names := []string{salesforce, hubspot}
	if c.o.Kafka == nil {
		names = append([]string{"broker"}, names...)
	}
	for _, name := range names {
		if err := c.launch(ctx, name); err != nil {
			return err
		}
	}
	if c.o.Kafka != nil {
		if out, err := output(ctx, c.o.Binary, "topics", "create", "-c", c.runs[0].cfg); err != nil {
			return fmt.Errorf("creating topics: %w: %s", err, out)
		}
	}
	if err := c.w.populate(ctx, c.sim, "http://"+c.runs[0].api); err != nil {
		return err
	}
	for _, r := range c.runs {
		if err := c.launch(ctx, r.name); err != nil {
			return err
		}
	}
	c.watch = newWatcher(c)
	return c.applyTenants(ctx)
}

// configure writes a configuration for each process: they differ in folder and port.
func (c *crashTest) configure() error {
	n := 8
	if c.o.Kafka != nil {
		n = 12
	}
	for i := range c.o.Processes {
		r := &pipelineProcess{name: "run", api: c.a.API}
		if i > 0 {
			r.name = "run-" + strconv.Itoa(i+1)
			other, err := choose(true)
			if err != nil {
				return err
			}
			r.api = other.API
		}
		doc := map[string]any{
			"data":     filepath.Join(c.o.Dir, "pipeline", r.name),
			"kafka":    map[string]any{"brokers": []string{c.broker()}, "registry": c.registryURL(), "session": crashSession.String(), "partitions": n},
			"http":     map[string]any{"listen": r.api, "public_url": "http://" + c.a.API},
			"servers":  map[string]string{salesforce: "http://" + c.a.Salesforce, hubspot: "http://" + c.a.HubSpot},
			"webhooks": map[string]map[string]string{hubspot: {strconv.Itoa(appID): c.w.secretRef}},
			"log":      map[string]string{"level": "info"},
		}
		r.cfg = filepath.Join(c.o.Dir, r.name+".yaml") // JSON is YAML
		if err := writeJSON(r.cfg, doc); err != nil {
			return err
		}
		c.runs = append(c.runs, r)
	}
	return nil
}

func (c *crashTest) applyTenants(ctx context.Context) error {
	c.codec = registry.NewCodec(c.registryURL())
	if err := c.codec.Register(ctx); err != nil {
		return err
	}
	var err error
	if c.cl, err = kgo.NewClient(append(dialer.ClientOpts(), kgo.SeedBrokers(c.broker()))...); err != nil {
		return err
	}
	configs, err := config.Tenants("tenants", []byte(c.w.documents()), map[string]string{salesforce: "x", hubspot: "x"}, all.Providers())
	if err != nil {
		return err
	}
	tcl, err := kgo.NewClient(append(tenants.ClientOpts(), kgo.SeedBrokers(c.broker()))...)
	if err != nil {
		return err
	}
	defer tcl.Close()
	_, err = tenants.New(tcl, c.codec).Apply(ctx, configs)
	return err
}

// launch starts a process and waits until it answers.
func (c *crashTest) launch(ctx context.Context, name string) error {
	var args []string
	var addr string
	switch name {
	case "broker":
		args, addr = []string{"broker", "--data", filepath.Join(c.o.Dir, "broker"), "--listen", c.a.Broker, "--registry", c.a.Registry}, c.a.Registry
	case salesforce:
		args, addr = []string{"sim", salesforce, "--listen", c.a.Salesforce, "--data", filepath.Join(c.o.Dir, "sim-salesforce"), "--setup", filepath.Join(c.o.Dir, "orgs.json")}, c.a.Salesforce
	case hubspot:
		args, addr = []string{"sim", hubspot, "--listen", c.a.HubSpot, "--data", filepath.Join(c.o.Dir, "sim-hubspot"), "--setup", filepath.Join(c.o.Dir, "portals.json")}, c.a.HubSpot
	default:
		for _, r := range c.runs {
			if r.name == name {
				args, addr = []string{"run", "-c", r.cfg}, r.api
			}
		}
	}
	p, err := spawn(c.o.Binary, filepath.Join(c.o.Dir, name+".log"), args...)
	if err != nil {
		return err
	}
	c.procs[name] = p
	return p.answers(ctx, "http://"+addr+"/")
}

// status asks a process what it holds.
func (c *crashTest) status(ctx context.Context, r *pipelineProcess) (run.Status, error) {
	var st run.Status
	err := c.sim.call(ctx, http.MethodGet, "http://"+r.api+"/api/status", nil, &st)
	return st, err
}

// killer does its work at random moments spread over the time that the calls take.
func (c *crashTest) killer(ctx context.Context, rep *CrashReport) error {
	rng := rand.New(rand.NewPCG(c.o.Seed, 3))
	what := strings.Fields(strings.Repeat("kill ", c.o.Kills) + strings.Repeat("pause ", c.o.Pauses) + strings.Repeat("leave ", c.o.Leaves) + strings.Repeat("broker ", c.o.BrokerKills))
	rng.Shuffle(len(what), func(i, j int) { what[i], what[j] = what[j], what[i] })
	total := time.Duration(c.o.Calls) * time.Second / time.Duration(c.o.Rate)
	for n, act := range what {
		mean := total / time.Duration(len(what)+1)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(mean/2 + rand.N(mean)):
		}
		victim := c.runs[rng.IntN(len(c.runs))].name
		fmt.Fprintf(c.o.Out, "%s %s (%d of %d)\n", act, victim, n+1, len(what))
		if err := c.harm(ctx, act, victim, rep); err != nil {
			return err
		}
	}
	return nil
}

func (c *crashTest) harm(ctx context.Context, act, victim string, rep *CrashReport) error {
	switch act {
	case "kill":
		rep.Kills++
		c.watch.killed()
		c.procs[victim].kill()
		if len(c.runs) > 1 { // the others take over before it comes back
			if err := c.watch.whole(ctx); err != nil {
				return err
			}
		}
		return c.launch(ctx, victim)
	case "leave":
		rep.Leaves++
		c.procs[victim].stop(30 * time.Second)
		return c.launch(ctx, victim)
	case "pause":
		rep.Pauses++
		p := c.procs[victim].cmd.Process
		began := time.Now()
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(crashPause):
		}
		c.pauses.add(began, time.Now())
		return p.Signal(syscall.SIGCONT)
	case "broker":
		rep.BrokerKills++
		if c.o.Kafka != nil {
			c.o.Kafka.Kill()
			return c.o.Kafka.Start(ctx)
		}
		c.procs["broker"].kill()
		return c.launch(ctx, "broker")
	}
	return fmt.Errorf("nobody knows how to %s", act)
}
