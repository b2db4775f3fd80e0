package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/crmstream/crmstream/pipeline/near"
)

// plainly has a command line that is not as a command takes it answered with what the
// command takes. A group of commands answers a name that it does not have as any other
// mistake: by its help alone a script would take it for done.
func plainly(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		plainly(c)
	}
	if cmd.HasSubCommands() {
		group(cmd)
		return
	}
	takes := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if takes != nil {
			if err := takes(cmd, args); err != nil {
				return misused(cmd, "%s", given(args))
			}
		}
		var missing []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Annotations[cobra.BashCompOneRequiredFlag] != nil && !f.Changed {
				missing = append(missing, "--"+f.Name)
			}
		})
		if len(missing) > 0 {
			return misused(cmd, "%s is missing", strings.Join(missing, " and "))
		}
		return nil
	}
}

// group has a command that only holds others say what it does not have.
func group(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	runs := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			var names []string
			for _, c := range cmd.Commands() {
				if c.IsAvailableCommand() {
					names = append(names, c.Name())
				}
			}
			return &exitError{exitInput, fmt.Errorf("%s has no command %q: %s", cmd.CommandPath(), args[0], near.DidYouMean(args[0], names))}
		}
		if runs != nil {
			return runs(cmd, args)
		}
		return cmd.Help()
	}
}

func given(args []string) string {
	switch len(args) {
	case 0:
		return "nothing was given"
	case 1:
		return fmt.Sprintf("%q was given", args[0])
	}
	return fmt.Sprintf("%d words were given", len(args))
}

// misused says how a command is called.
func misused(cmd *cobra.Command, format string, args ...any) error {
	line := cmd.Use
	if p := cmd.Parent(); p != nil {
		line = p.CommandPath() + " " + line
	}
	return &exitError{exitInput, fmt.Errorf("%s: it is called as %s (--help says more)", fmt.Sprintf(format, args...), line)}
}
