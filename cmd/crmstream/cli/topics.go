package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/schemas"
)

func topicsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "topics", Short: "List, create and check the topics"}
	cmd.AddCommand(topicsListCommand(), topicsCreateCommand(), topicsCheckCommand())
	return cmd
}

func topicsListCommand() *cobra.Command {
	var out outputFlag
	cmd := &cobra.Command{
		Use: "list", Short: "List the catalogue of topics: what each holds, who writes, who reads", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			type row struct {
				Name      string `json:"name"`
				Role      string `json:"role"`
				Record    string `json:"record"`
				Key       string `json:"key"`
				Cleanup   string `json:"cleanup"`
				Retention string `json:"retention"`
				Writers   string `json:"writers"`
				Readers   string `json:"readers"`
				Doc       string `json:"doc"`
			}
			var rows []row
			var text [][]string
			for _, t := range schemas.Topics() {
				cleanup, retention := "delete", "for ever"
				if t.Compact {
					cleanup = "compact"
				}
				if t.Retention >= 0 {
					retention = strconv.Itoa(int(t.Retention/(24*time.Hour))) + "d"
				}
				rows = append(rows, row{t.Name, string(t.Role), t.Record, t.Key, cleanup, retention, t.Writers, t.Readers, t.Doc})
				text = append(text, []string{t.Name, string(t.Role), t.Record, cleanup, retention, t.Doc})
			}
			if out.json() {
				return printJSON(cmd.OutOrStdout(), rows)
			}
			return table(cmd.OutOrStdout(), "TOPIC ROLE RECORD CLEANUP KEPT WHAT", text)
		},
	}
	out.add(cmd)
	return cmd
}

func topicsCreateCommand() *cobra.Command {
	var at clusterFlags
	cmd := &cobra.Command{
		Use: "create", Short: "Create the topics that are not there, and register their schemas", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, cl, codec, err := at.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			if err := run.EnsureTopics(cmd.Context(), cl, int32(c.Kafka.Partitions), int16(c.Kafka.Replication)); err != nil {
				return err
			}
			if err := codec.Register(cmd.Context()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d topics are there, with %d partitions, and their schemas are registered\n", len(schemas.Topics()), c.Kafka.Partitions)
			return err
		},
	}
	at.add(cmd)
	return cmd
}

func topicsCheckCommand() *cobra.Command {
	var at clusterFlags
	cmd := &cobra.Command{
		Use: "check", Short: "Compare the topics with the catalogue; exit status 1 if they differ", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, cl, _, err := at.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			n, err := run.CheckTopics(cmd.Context(), cl)
			if err != nil {
				return found("%v", err)
			}
			if int(n) != c.Kafka.Partitions {
				return found("the topics have %d partitions, kafka.partitions says %d: set it to %d (another number is a migration)", n, c.Kafka.Partitions, n)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "all topics are as they should be, %d partitions\n", n)
			return err
		},
	}
	at.add(cmd)
	return cmd
}
