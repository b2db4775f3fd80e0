package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/crmstream/crmstream/pipeline"
)

func versionCommand() *cobra.Command {
	var out outputFlag
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of the binary and of its rules",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := struct {
				Version string `json:"version"`
				Rules   string `json:"rules"`
				Go      string `json:"go"`
			}{"unreleased", pipeline.Version, runtime.Version()}
			if bi, ok := debug.ReadBuildInfo(); ok && bi.Main.Version != "" && bi.Main.Version != "(devel)" {
				v.Version = bi.Main.Version
			}
			if out.json() {
				return printJSON(cmd.OutOrStdout(), v)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "crmstream %s, rules %s, %s\n", v.Version, v.Rules, v.Go)
			return err
		},
	}
	out.add(cmd)
	return cmd
}
