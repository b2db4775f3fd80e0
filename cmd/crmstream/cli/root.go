package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/crmstream/crmstream/cmd/crmstream/strictyaml"
)

// Exit statuses.
const (
	exitFound       = 1
	exitInput       = 2
	exitEnvironment = 3
)

// exitError carries an exit status through cobra.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// found is the error of a command that ran well and found something bad.
func found(format string, args ...any) error {
	return &exitError{exitFound, fmt.Errorf(format, args...)}
}

// Main runs the command line and returns the exit status.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends what does not heed the first
	root := newRoot()
	plainly(root)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var mistakes strictyaml.Mistakes
	var ee *exitError
	switch {
	case errors.As(err, &mistakes):
		fmt.Fprintln(stderr, mistakes)
		return exitInput
	case errors.As(err, &ee):
		fmt.Fprintln(stderr, "crmstream:", err)
		return ee.status
	default:
		fmt.Fprintln(stderr, "crmstream:", err)
		return exitEnvironment
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "crmstream",
		Short: "Keeps a sales dialer and its customers' CRMs in sync, on Kafka",
		Long: `crmstream keeps a sales dialer and each tenant's CRM in bi-directional sync.
Calls go from Kafka to Salesforce and HubSpot once, whatever fails; edits in
the CRM come back on the topic sync.contacts.

Try it, nothing else needed:

  crmstream demo`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{exitInput, err} })
	root.AddCommand(demoCommand(), runCommand(), brokerCommand(), simCommand(), topicsCommand(),
		tenantsCommand(), callsCommand(), replayCommand(), statusCommand(), explainCommand(), conflictsCommand(), contactsCommand(), versionCommand())
	return root
}
