package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/cmd/crmstream/explain"
	"github.com/crmstream/crmstream/cmd/crmstream/status"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/near"
	"github.com/crmstream/crmstream/schemas"
)

func explainCommand() *cobra.Command {
	var cluster clusterFlags
	var out outputFlag
	var field, address string
	var since time.Duration
	cmd := &cobra.Command{
		Use: "explain TENANT WHAT", Short: "Say why a person or a call is as it is, and what waits for what", Args: cobra.ExactArgs(2),
		Long: `Say why a person or a call is as it is, and what waits for what.

WHAT is a call id, a person id, the dialer's contact id, a CRM record's id or
address, an e-mail address, or a phone number. The process that owns the tenant
is asked: on this machine, or with what http.token refers to.
Exit status 1 if nothing is found.`,
		Example: "  crmstream explain acme call-17\n  crmstream explain acme +14155551234\n  crmstream explain acme p1 --field phone --since 720h",
		RunE: func(cmd *cobra.Command, args []string) error {
			tenant, what := args[0], args[1]
			if !schemas.ValidTenant(tenant) {
				return &exitError{exitInput, fmt.Errorf("%q is no tenant's name", tenant)}
			}
			c, cl, codec, err := cluster.connect(status.ClientOpts()...)
			if err != nil {
				return err
			}
			defer cl.Close()
			e, partition, err := ask(cmd.Context(), c, cl, address, tenant, what)
			if _, nothing := errors.AsType[explain.NothingError](err); nothing {
				return &exitError{exitFound, err}
			}
			if err != nil {
				return err
			}
			answer := &explain.Answer{Explanation: e}
			if len(e.Persons) == 1 && since > 0 {
				answer.History, err = explain.History(cmd.Context(), cl, codec, partition, tenant, e.Persons[0].ID, time.Now().Add(-since))
				if err != nil {
					return err
				}
			}
			if out.json() {
				return printJSON(cmd.OutOrStdout(), answer)
			}
			ok, err := answer.Print(cmd.OutOrStdout(), field)
			if err == nil && !ok {
				err = found("the person has no field %s: %s", field, near.DidYouMean(field, fieldsOf(e)))
			}
			return err
		},
	}
	cluster.add(cmd)
	out.add(cmd)
	cmd.Flags().StringVar(&field, "field", "", "this field of the person alone")
	cmd.Flags().StringVar(&address, "address", "", "HOST:PORT of the process to ask (default: the owner of the tenant's partition)")
	cmd.Flags().DurationVar(&since, "since", 24*time.Hour, "how far back changes are shown; 0 = none")
	return cmd
}

// fieldsOf are the names of the fields that the persons have.
func fieldsOf(e *pipeline.Explanation) []string {
	var names []string
	for i := range e.Persons {
		for k := range e.Persons[i].Fields {
			names = append(names, e.Persons[i].Fields[k].Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ask asks the process at an address, or else the owner of the tenant's partition.
func ask(ctx context.Context, c *config.Config, cl *kgo.Client, address, tenant, what string) (e *pipeline.Explanation, partition int32, err error) {
	partition, address, token, err := askWhom(ctx, c, cl, tenant, address)
	if err != nil {
		return nil, 0, err
	}
	e, err = explain.Ask(ctx, address, token, tenant, what)
	return e, partition, err
}
