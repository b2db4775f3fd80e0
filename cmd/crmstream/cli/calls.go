package cli

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmstream/crmstream/connectors/dialer"
)

func callsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "calls", Short: "Play a dialer: send calls to the topic dialer.calls"}
	cmd.AddCommand(callsSendCommand())
	return cmd
}

func callsSendCommand() *cobra.Command {
	var at clusterFlags
	var file, tenant, to, agent string
	var n int
	var seed uint64
	cmd := &cobra.Command{
		Use: "send", Short: "Send calls from a file of JSON lines, or generated ones", Args: cobra.NoArgs,
		Example: "  crmstream calls send -f calls.jsonl\n  crmstream calls send --tenant acme --to +14155551234 --count 3",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var calls []dialer.Call
			switch {
			case n < 1:
				return &exitError{exitInput, fmt.Errorf("--count is %d, it must be at least 1", n)}
			case file != "":
				src, err := readInput(cmd, file)
				if err != nil {
					return err
				}
				if calls, err = dialer.Read(bytes.NewReader(src)); err != nil {
					return &exitError{exitInput, fmt.Errorf("%s: %w", inputName(file), err)}
				}
			case tenant != "" && to != "":
				g := dialer.NewGenerator(seed)
				run := strconv.FormatInt(time.Now().UnixMilli(), 36)
				for i := range n {
					calls = append(calls, g.Next(tenant, fmt.Sprintf("call-%s-%d", run, i+1), to, agent, time.Now()))
				}
			default:
				return &exitError{exitInput, fmt.Errorf("say what to send: -f FILE, or --tenant NAME --to NUMBER")}
			}
			_, cl, codec, err := at.connect(dialer.ClientOpts()...)
			if err != nil {
				return err
			}
			defer cl.Close()
			if err := cl.Ping(cmd.Context()); err != nil {
				return fmt.Errorf("Kafka does not answer (is the pipeline or broker running?): %w", err)
			}
			if err := codec.Register(cmd.Context()); err != nil {
				return err
			}
			sent, err := dialer.Send(cmd.Context(), cl, codec, calls)
			if sent == 1 {
				fmt.Fprintln(cmd.OutOrStdout(), "1 call is on dialer.calls")
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "%d calls are on dialer.calls\n", sent)
			}
			return err
		},
	}
	at.add(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "calls as JSON lines; - for standard input")
	cmd.Flags().StringVar(&tenant, "tenant", "", "tenant of generated calls")
	cmd.Flags().StringVar(&to, "to", "", "number that generated calls go to")
	cmd.Flags().StringVar(&agent, "agent", "rep@example.com", "rep of generated calls")
	cmd.Flags().IntVar(&n, "count", 1, "number of generated calls")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of generated calls")
	return cmd
}
