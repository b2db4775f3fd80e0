package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmstream/crmstream/cmd/crmstream/conflicts"
	"github.com/crmstream/crmstream/cmd/crmstream/explain"
	"github.com/crmstream/crmstream/cmd/crmstream/tenants"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

func contactsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "contacts", Short: "Erase persons for privacy"}
	cmd.AddCommand(contactsEraseCommand(), contactsAllowCommand())
	return cmd
}

func contactsEraseCommand() *cobra.Command {
	var cluster clusterFlags
	var address, by string
	var dry bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "erase TENANT WHOM", Short: "Erase a person, with the calls and all that waits", Args: cobra.ExactArgs(2),
		Long: `Erase a person, with the calls and all that waits, from the state and from the
topics that keep the newest record of a key. He does not come again: hashes of
his records' ids, e-mail addresses and numbers are kept for that. Nothing is
deleted in a CRM: do that first, there. What topics keep for a time only goes
with their retention: docs/privacy.md says which.

WHOM is a person id, the dialer's contact id, a CRM record's id or address, an
e-mail address or a phone number. Exit status 1 if it is not one person.`,
		Example: "  crmstream contacts erase acme ann@example.com --dry-run\n  crmstream contacts erase acme p17",
		RunE: func(cmd *cobra.Command, args []string) error {
			tenant := args[0]
			if !schemas.ValidTenant(tenant) {
				return &exitError{exitInput, fmt.Errorf("%q is no tenant's name", tenant)}
			}
			c, cl, codec, err := cluster.connect(tenants.ClientOpts()...)
			if err != nil {
				return err
			}
			defer cl.Close()
			look := func(ctx context.Context, what string) (*pipeline.Explanation, error) {
				e, _, err := ask(ctx, c, cl, address, tenant, what)
				return e, err
			}
			e, err := look(cmd.Context(), args[1])
			if isNothing(err) {
				return &exitError{exitFound, err}
			}
			if err != nil {
				return err
			}
			printErased(cmd.OutOrStdout(), e.Persons)
			switch {
			case len(e.Persons) != 1:
				return found("%d persons are %s: name one by its id", len(e.Persons), args[1])
			case dry:
				fmt.Fprintln(cmd.OutOrStdout(), "nothing was done (--dry-run)")
				return nil
			}
			id := e.Persons[0].ID // the action names nobody but by our own id
			if err := send(cmd.Context(), conflicts.New(cl, codec), tenant, by, schemas.Text("person", id), schemas.Text("salt", rand.Text())); err != nil {
				return err
			}
			if err := until(cmd.Context(), wait, func(ctx context.Context) (bool, error) {
				_, err := look(ctx, id)
				if isNothing(err) {
					return true, nil
				}
				return false, err
			}); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s is erased\n", tenant, id)
			return nil
		},
	}
	cluster.add(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say who would be erased, and do nothing")
	cmd.Flags().StringVar(&address, "address", "", "HOST:PORT of the process to ask (default: the owner of the tenant's partition)")
	cmd.Flags().StringVar(&by, "by", os.Getenv("USER"), "who decides, kept on sync.changes")
	cmd.Flags().DurationVar(&wait, "wait", 15*time.Second, "how long to wait until it is done")
	return cmd
}

func contactsAllowCommand() *cobra.Command {
	var cluster clusterFlags
	var by, record, contact, email, number string
	cmd := &cobra.Command{
		Use: "allow TENANT", Short: "Let somebody come again who was erased", Args: cobra.ExactArgs(1),
		Long:    "Let somebody come again who was erased: what of him the flags name is not turned away any more.\nIf it was never erased, a dead letter of control.actions says so.",
		Example: "  crmstream contacts allow acme --email ann@example.com --record salesforce/Lead/00Q5g000007abcdEAA",
		RunE: func(cmd *cobra.Command, args []string) error {
			var fields []schemas.Field
			for _, f := range []struct{ name, v string }{{"record", record}, {"contact", contact}, {"email", email}, {"number", number}} {
				if f.v != "" {
					fields = append(fields, schemas.Text(f.name, f.v))
				}
			}
			if !schemas.ValidTenant(args[0]) || len(fields) == 0 {
				return &exitError{exitInput, errors.New("say a tenant, and --record, --contact, --email or --number")}
			}
			_, cl, codec, err := cluster.connect(tenants.ClientOpts()...)
			if err != nil {
				return err
			}
			defer cl.Close()
			return send(cmd.Context(), conflicts.New(cl, codec), args[0], by, append(fields, schemas.Text("do", "allow"))...)
		},
	}
	cluster.add(cmd)
	cmd.Flags().StringVar(&record, "record", "", "a CRM record, as provider/object/id")
	cmd.Flags().StringVar(&contact, "contact", "", "the dialer's contact id")
	cmd.Flags().StringVar(&email, "email", "", "an e-mail address")
	cmd.Flags().StringVar(&number, "number", "", "a phone number")
	cmd.Flags().StringVar(&by, "by", os.Getenv("USER"), "who decides")
	return cmd
}

func send(ctx context.Context, x *conflicts.Inbox, tenant, by string, fields ...schemas.Field) error {
	now := time.Now()
	return x.Send(ctx, tenant, &schemas.ControlAction{ActionID: "erase-" + strconv.FormatInt(now.UnixNano(), 36), Kind: schemas.ActionErasePerson, At: now.UnixMilli(), By: by, Fields: fields})
}

func isNothing(err error) bool {
	_, nothing := errors.AsType[explain.NothingError](err)
	return nothing
}

// until asks again and again whether something is done.
func until(ctx context.Context, most time.Duration, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(ctx); ok || err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return found("%w", conflicts.ErrWaits)
		}
	}
}

// printErased says who would be erased, without repeating what is known of them.
func printErased(out io.Writer, persons []pipeline.ExplainedPerson) {
	for i := range persons {
		p := &persons[i]
		var fields, records []string
		for _, f := range p.Fields {
			fields = append(fields, f.Name)
		}
		for _, r := range p.Records {
			records = append(records, r.Record.Provider+"/"+r.Record.Object+"/"+r.Record.ID)
		}
		fmt.Fprintf(out, "%s (%s)\n", p.ID, p.Status)
		if p.ContactID != "" {
			fmt.Fprintf(out, "  contact  %s\n", p.ContactID)
		}
		fmt.Fprintf(out, "  fields   %s\n  records  %s\n", orNone(fields), orNone(records))
	}
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, " ")
}
