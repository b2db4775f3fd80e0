package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/cmd/crmstream/demo"
)

func demoCommand() *cobra.Command {
	o := demo.Options{}
	var out outputFlag
	var ports, level string
	cmd := &cobra.Command{
		Use: "demo", Short: "See it work: everything in one process, with simulated CRMs", Args: cobra.NoArgs,
		Example: "  crmstream demo\n  crmstream demo --calls 500 --exit --output json --ports auto",
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case ports != "fixed" && ports != "auto":
				return &exitError{exitInput, fmt.Errorf(`--ports is %q, it must be "fixed" or "auto"`, ports)}
			case o.Brokers != "" && o.Registry == "":
				return &exitError{exitInput, errors.New("--brokers needs --registry, the address of its schema registry")}
			case o.Mixed && (cmd.Flags().Changed("tenants") || !o.Exit):
				return &exitError{exitInput, errors.New("--mixed has three tenants of its own, and an end: give it --exit, and no --tenants")}
			case o.Tenants < 1 || o.Tenants > 200:
				return &exitError{exitInput, fmt.Errorf("--tenants is %d, it must be 1 to 200", o.Tenants)}
			case o.Rate < 1 || o.Rate > 10_000:
				return &exitError{exitInput, fmt.Errorf("--rate is %d, it must be 1 to 10000", o.Rate)}
			case o.Exit && o.Calls == 0 && o.Edits == 0:
				o.Calls, o.Edits = 500, 50
			}
			if o.Exit && !cmd.Flags().Changed("edits") {
				o.Edits = max(1, o.Calls/10)
			}
			if o.Exit && !cmd.Flags().Changed("rate") {
				o.Rate = 40 // what the smallest of the CRM limits takes, one HubSpot portal of four tenants
			}
			o.AutoPorts, o.JSON, o.Out = ports == "auto", out.json(), cmd.OutOrStdout()
			o.Terminal = o.Out == os.Stdout && term.IsTerminal(int(os.Stdout.Fd()))
			o.Log = logger(config.Log{Level: level}, cmd.ErrOrStderr())
			v, err := demo.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			if v == nil {
				return nil
			}
			return printVerdict(cmd, v, out.json())
		},
	}
	out.add(cmd)
	f := cmd.Flags()
	f.StringVar(&o.Dir, "data", "./crmstream-demo", "folder of the data; it is kept")
	f.IntVar(&o.Tenants, "tenants", 4, "number of tenants; every fourth is on HubSpot")
	f.BoolVar(&o.Mixed, "mixed", false, "three tenants with mappings of their own: a script, custom objects, two CRMs; with --exit")
	f.StringVar(&o.Brokers, "brokers", "", "an Apache Kafka to use in place of the embedded broker")
	f.StringVar(&o.Registry, "registry", "", "the URL of its schema registry")
	f.IntVar(&o.Calls, "calls", 0, "calls to play; 0 goes on")
	f.IntVar(&o.Edits, "edits", 0, "edits by CRM users; default with --exit: a tenth of the calls")
	f.BoolVar(&o.Exit, "exit", false, "end with a verdict once everything was played; exit status 1 if a call is lost or doubled")
	f.StringVar(&ports, "ports", "fixed", `"fixed" or "auto"`)
	f.Uint64Var(&o.Seed, "seed", 1, "seed of what is played")
	f.IntVar(&o.Rate, "rate", 10, "calls a second")
	f.StringVar(&level, "log", "error", "log level: debug, info, warn, error")
	cmd.AddCommand(demoVerifyCommand())
	return cmd
}

func demoVerifyCommand() *cobra.Command {
	var out outputFlag
	var dir string
	cmd := &cobra.Command{
		Use: "verify", Short: "Count, in the simulators, every call that the demo ever sent", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := demo.Verify(cmd.Context(), dir)
			if err != nil {
				return err
			}
			return printVerdict(cmd, v, out.json())
		},
	}
	out.add(cmd)
	cmd.Flags().StringVar(&dir, "data", "./crmstream-demo", "folder of the demo")
	return cmd
}

func printVerdict(cmd *cobra.Command, v *demo.Verdict, asJSON bool) error {
	w := cmd.OutOrStdout()
	if asJSON {
		if err := printJSON(w, v); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(w, "\ncounted in the CRMs: %d calls, %d lost, %d duplicated; %d of %d edits seen\n", v.Calls, v.Lost, v.Duplicated, v.EditsSeen, v.Edits)
		if v.Latency.P50 > 0 {
			fmt.Fprintf(w, "event on the topic → in the CRM: p50 %.0f ms, p99 %.0f ms\n", v.Latency.P50, v.Latency.P99)
		}
		for _, c := range v.Checks {
			fmt.Fprintf(w, "%s: %d of %d\n", c.Of, c.Got, c.Want)
		}
		if v.Note != "" {
			fmt.Fprintln(w, v.Note)
		}
	}
	if !v.Good() {
		return found("calls are lost or doubled, edits were not seen, or something else is missing")
	}
	return nil
}
