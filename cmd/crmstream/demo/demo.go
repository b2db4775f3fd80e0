package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/cmd/crmstream/app"
	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/cmd/crmstream/tenants"
	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/pipeline/run"
)

// Options say what to show.
type Options struct {
	Dir     string
	Tenants int
	// Mixed plays three tenants with mappings of their own: a script, custom objects, two CRMs.
	Mixed bool
	// Brokers and Registry name an Apache Kafka to use in place of the embedded broker; "" =
	// none.
	Brokers, Registry string
	// Calls and Edits of a run that ends; 0 in a run that goes on.
	Calls, Edits int
	// Exit ends the demo once all calls and edits were played.
	Exit bool
	JSON bool
	// AutoPorts takes any free ports instead of the fixed ones.
	AutoPorts bool
	Seed      uint64
	// Rate is the number of calls a second.
	Rate int
	// Terminal draws in place; else lines are printed.
	Terminal bool
	Out      io.Writer
	Log      *slog.Logger
}

// settled bounds the wait for what is still on its way at the end of a run.
const settled = 90 * time.Second

// addresses of a demo, kept in its folder for `demo verify`.
type addresses struct {
	Broker     string `json:"broker"`
	Registry   string `json:"registry"`
	API        string `json:"api"`
	Salesforce string `json:"salesforce"`
	HubSpot    string `json:"hubspot"`
	Tenants    int    `json:"tenants"`
	Mixed      bool   `json:"mixed,omitempty"`
}

func choose(auto bool) (addresses, error) {
	a := addresses{"127.0.0.1:9092", "127.0.0.1:8081", "127.0.0.1:8080", "127.0.0.1:8091", "127.0.0.1:8092", 0, false}
	if !auto {
		return a, app.CheckPorts(app.Port{What: "the broker", Addr: a.Broker, Flag: "--ports auto"}, app.Port{What: "the registry", Addr: a.Registry, Flag: "--ports auto"},
			app.Port{What: "the API", Addr: a.API, Flag: "--ports auto"}, app.Port{What: "the Salesforce simulator", Addr: a.Salesforce, Flag: "--ports auto"},
			app.Port{What: "the HubSpot simulator", Addr: a.HubSpot, Flag: "--ports auto"})
	}
	var open []net.Listener
	defer func() {
		for _, l := range open {
			l.Close()
		}
	}()
	for _, p := range []*string{&a.Broker, &a.Registry, &a.API, &a.Salesforce, &a.HubSpot} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return a, fmt.Errorf("looking for a free port: %w", err)
		}
		open = append(open, l)
		*p = l.Addr().String()
	}
	return a, nil
}

// Run runs the demo until ctx ends, or with Exit until everything was played. The
// verdict of a run that ends is not nil.
func Run(ctx context.Context, o Options) (_ *Verdict, err error) {
	a, err := choose(o.AutoPorts)
	if err != nil {
		return nil, err
	}
	a.Tenants, a.Mixed = o.Tenants, o.Mixed
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the demo's folder: %w", err)
	}
	w, err := newWorld(o.Dir, o.Tenants, o.Mixed)
	if err != nil {
		return nil, err
	}
	sims, err := startSimulators(filepath.Join(o.Dir, "simulators"), a.Salesforce, a.HubSpot, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sims.Close()) }()
	for _, t := range w.tenants {
		t.url = sims.sfURL
		if t.provider == hubspot {
			t.url = sims.hsURL
		}
	}
	sim := simClient{&http.Client{Timeout: 30 * time.Second}}
	if err := w.populate(ctx, sim, "http://"+a.API); err != nil {
		return nil, err
	}
	cfg := config.Default()
	cfg.Data = filepath.Join(o.Dir, "pipeline")
	cfg.Embedded.Listen, cfg.Embedded.Registry, cfg.HTTP.Listen = a.Broker, a.Registry, a.API
	if o.Brokers != "" {
		cfg.Kafka.Brokers, cfg.Kafka.Registry = strings.Split(o.Brokers, ","), o.Registry
		a.Broker, a.Registry = o.Brokers, strings.TrimPrefix(o.Registry, "http://")
		if err := createTopics(ctx, cfg); err != nil {
			return nil, err
		}
	}
	cfg.HTTP.PublicURL = "http://" + a.API
	cfg.Servers = map[string]string{salesforce: sims.sfURL, hubspot: sims.hsURL}
	cfg.Webhooks = map[string]map[string]string{hubspot: {fmt.Sprint(appID): w.secretRef}}
	process, err := app.Start(ctx, cfg, o.Log)
	if err != nil {
		return nil, err
	}
	if err := writeJSON(filepath.Join(o.Dir, "demo.json"), a); err != nil {
		return nil, errors.Join(err, process.Close(ctx))
	}
	defer func() { err = errors.Join(err, process.Close(ctx)) }()
	if err := writeClientFile(o, a, cfg.Servers); err != nil {
		return nil, err
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return process.Run(gctx) })
	var verdict *Verdict
	g.Go(func() error {
		defer stop() // the end of the play is the end of the process
		s, err := newShow(gctx, o, a, w, sim, process)
		if err != nil {
			return err
		}
		defer s.close()
		verdict, err = s.play(gctx)
		return err
	})
	err = g.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return verdict, err
}

// clientFile is what other commands are told by -c, in the demo's folder.
const clientFile = "crmstream.yaml"

// writeClientFile says where this run's topics and CRMs are, in a file that every command
// takes: else nobody could apply a file of a tenant whose CRM is a simulator.
func writeClientFile(o Options, a addresses, servers map[string]string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by crmstream demo at each start, for other commands: crmstream tenants list -c %s\n", clientFile)
	if o.Brokers == "" {
		fmt.Fprintf(&b, "embedded: {listen: %q, registry: %q}\n", a.Broker, a.Registry)
	} else {
		fmt.Fprintf(&b, "kafka: {brokers: [\"%s\"], registry: %q}\n", strings.ReplaceAll(o.Brokers, ",", `", "`), o.Registry)
	}
	fmt.Fprintf(&b, "http: {listen: %q}\nservers: {salesforce: %q, hubspot: %q}\n", a.API, servers[salesforce], servers[hubspot])
	path := filepath.Join(o.Dir, clientFile)
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// createTopics makes the topics on an Apache Kafka, which a demo is not asked for.
func createTopics(ctx context.Context, cfg *config.Config) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(cfg.Kafka.Brokers...))
	if err != nil {
		return err
	}
	defer cl.Close()
	return run.EnsureTopics(ctx, cl, int32(cfg.Kafka.Partitions), 1)
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// peoplePerTenant is how many records each CRM begins with.
const peoplePerTenant = 20

var firstNames = []string{"Ann", "Ben", "Cara", "Dan", "Eve", "Finn", "Gail", "Hugo", "Iris", "Jon"}
var lastNames = []string{"Ames", "Bell", "Cole", "Dunn", "Ebert", "Frost", "Gray", "Hale", "Ives", "Joyce"}

// populate gives each CRM its people, once, and tells HubSpot where webhooks go.
func (w *world) populate(ctx context.Context, sim simClient, api string) error {
	for _, t := range w.tenants {
		i := w.first(t)
		if t.provider == hubspot {
			body := map[string]any{"portal": t.portal(), "target_url": fmt.Sprintf("%s/webhooks/hubspot/%d", api, appID), "subscriptions": subscriptions()}
			if err := sim.call(ctx, http.MethodPost, t.url+"/_sim/webhooks", body, nil); err != nil {
				return fmt.Errorf("setting webhooks of %s: %w", t.name, err)
			}
		}
		have, err := sim.records(ctx, t, t.personObject())
		if err != nil {
			return err
		}
		phone := "Phone"
		if t.provider == hubspot {
			phone = "phone"
		}
		for _, r := range have {
			t.people = append(t.people, person{r["id"], r[phone]})
		}
		for n := len(have); n < peoplePerTenant; n++ {
			first, last := firstNames[n%len(firstNames)], lastNames[(n/len(firstNames)+n)%len(lastNames)]
			number := fmt.Sprintf("(415) 555-%04d", i*peoplePerTenant%8000+n+1000)
			email := fmt.Sprintf("%s.%s.%d@%s.example", first, last, n, t.name)
			fields := map[string]string{"FirstName": first, "LastName": last, "Phone": number, "Email": email, "Company": "Company " + last}
			if t.provider == hubspot {
				fields = map[string]string{"firstname": first, "lastname": last, "phone": number, "email": email, "company": "Company " + last}
			}
			id, err := sim.write(ctx, t, "", fields)
			if err != nil {
				return fmt.Errorf("filling the CRM of %s: %w", t.name, err)
			}
			t.people = append(t.people, person{id, number})
		}
	}
	return nil
}

// apply makes the tenants known to the pipeline.
func (w *world) apply(ctx context.Context, cfgServers map[string]string, p *app.Process, broker string) error {
	configs, err := config.Tenants("demo tenants", []byte(w.documents()), cfgServers, all.Providers())
	if err != nil {
		return err
	}
	cl, err := kgo.NewClient(append(tenants.ClientOpts(), kgo.SeedBrokers(strings.Split(broker, ",")...))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	_, err = tenants.New(cl, p.Codec()).Apply(ctx, configs)
	return err
}
