package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmstream/crmstream/cmd/crmstream/app"
	hssim "github.com/crmstream/crmstream/connectors/hubspot/sim"
	sfsim "github.com/crmstream/crmstream/connectors/salesforce/sim"
	"github.com/crmstream/crmstream/connectors/simkit"
)

func simCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "sim", Short: "Run a simulator of a CRM: the vendor's wire format on a port"}
	cmd.AddCommand(
		simOf("salesforce", "127.0.0.1:8091", func(dir string, setup []byte) (simulator, error) {
			cfg := sfsim.Config{Dir: dir}
			if err := json.Unmarshal(setup, &cfg.Orgs); err != nil {
				return nil, fmt.Errorf("the setup must be a list of orgs: %w", err)
			}
			return sfsim.New(cfg)
		}),
		simOf("hubspot", "127.0.0.1:8092", func(dir string, setup []byte) (simulator, error) {
			cfg := hssim.Config{Dir: dir, WebhookRetry: hookRetries}
			if err := json.Unmarshal(setup, &cfg.Portals); err != nil {
				return nil, fmt.Errorf("the setup must be a list of portals: %w", err)
			}
			return hssim.New(cfg)
		}),
	)
	return cmd
}

// hookRetries are the simulator's tries of a webhook, closer together than the
// vendor's, which spread over a day.
var hookRetries = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour}

// simulator is one of a CRM.
type simulator interface {
	Handler() http.Handler
	Arm(simkit.Fault) error
	Close() error
}

func simOf(name, address string, open func(dir string, setup []byte) (simulator, error)) *cobra.Command {
	var listen, dir, setup string
	var faults []string
	cmd := &cobra.Command{
		Use: name, Short: "Simulate " + name, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := app.CheckPorts(app.Port{What: "the simulator", Addr: listen, Flag: "--listen"}); err != nil {
				return err
			}
			src := []byte("[]")
			if setup != "" {
				var err error
				if src, err = readInput(cmd, setup); err != nil {
					return err
				}
			}
			sim, err := open(dir, src)
			if err != nil {
				return &exitError{exitInput, fmt.Errorf("%s: %w", name, err)}
			}
			defer func() { err = errors.Join(err, sim.Close()) }()
			for _, f := range faults {
				var fault simkit.Fault
				if err := json.Unmarshal([]byte(f), &fault); err != nil {
					return &exitError{exitInput, fmt.Errorf("--fault %s: %w", f, err)}
				}
				if err := sim.Arm(fault); err != nil {
					return &exitError{exitInput, fmt.Errorf("--fault %s: %w", f, err)}
				}
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s  http://%s  what it holds: http://%s/_sim/%s\n", name, l.Addr(), l.Addr(), map[string]string{"salesforce": "orgs", "hubspot": "portals"}[name])
			return serve(cmd.Context(), l, sim.Handler())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", address, "address")
	cmd.Flags().StringVar(&dir, "data", "", "folder of the data; empty keeps it in memory")
	cmd.Flags().StringVar(&setup, "setup", "", "JSON file with the accounts to create")
	cmd.Flags().StringArrayVar(&faults, "fault", nil, `misbehaviour from the start, as for /_sim/faults, e.g. '{"kind":"hold","count":-1,"writes":true,"share":0.01,"delay_ms":30000}'; may be repeated`)
	return cmd
}

// serve serves until ctx ends.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 3 * time.Minute, IdleTimeout: time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		sctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = srv.Shutdown(sctx) // long polls are cut off
		_ = srv.Close()
		<-ended
		return nil
	}
}
