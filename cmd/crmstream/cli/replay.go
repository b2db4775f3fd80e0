package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/pipeline/script"
	"github.com/crmstream/crmstream/pipeline/task"
	"github.com/crmstream/crmstream/schemas/profile"
)

func replayCommand() *cobra.Command {
	var at clusterFlags
	var out outputFlag
	cmd := &cobra.Command{
		Use: "replay", Short: "Run the journal again and compare with what the run itself wrote (exit status 1 if they differ)", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, cl, codec, err := at.connect()
			if err != nil {
				return err
			}
			cl.Close()
			_, brokers, _, err := at.resolve()
			if err != nil {
				return err
			}
			var profiles []*profile.Profile
			for _, p := range all.Providers() {
				profiles = append(profiles, p.Profile())
			}
			if err := codec.Register(cmd.Context()); err != nil {
				return err
			}
			scripts := script.New(script.Options{Time: -1}) // what was cut off then is switched off by an input
			defer scripts.Close()
			rep, err := run.Replay(cmd.Context(), run.ReplayConfig{Brokers: brokers, Partitions: int32(c.Kafka.Partitions), Codec: codec, Task: task.New(profiles, task.WithScripts(scripts))})
			if err != nil {
				return err
			}
			if out.json() {
				if err := printJSON(cmd.OutOrStdout(), rep); err != nil {
					return err
				}
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "%d transactions run again, %d differences\n", rep.Transactions, len(rep.Differences))
				for _, d := range rep.Differences {
					fmt.Fprintln(cmd.OutOrStdout(), "  ", d)
				}
			}
			if len(rep.Differences) > 0 {
				return found("the replay differs from the run")
			}
			return nil
		},
	}
	at.add(cmd)
	out.add(cmd)
	return cmd
}
