package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmstream/crmstream/cmd/crmstream/conflicts"
	"github.com/crmstream/crmstream/cmd/crmstream/tenants"
	"github.com/crmstream/crmstream/schemas"
)

func conflictsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "conflicts", Short: "Show and decide what waits for a person"}
	cmd.AddCommand(conflictsListCommand(), conflictsShowCommand(), conflictsResolveCommand())
	return cmd
}

func conflictsListCommand() *cobra.Command {
	var at clusterFlags
	var out outputFlag
	var tenant string
	var all bool
	cmd := &cobra.Command{
		Use: "list [--tenant TENANT]", Short: "List what waits, the oldest first", Args: cobra.NoArgs,
		Example: "  crmstream conflicts list --tenant acme",
		RunE: func(cmd *cobra.Command, _ []string) error {
			x, stop, err := inbox(&at)
			if err != nil {
				return err
			}
			defer stop()
			list, err := x.List(cmd.Context(), tenant, all)
			if err != nil {
				return err
			}
			if out.json() {
				return printJSON(cmd.OutOrStdout(), list)
			}
			var rows [][]string
			for i := range list {
				c := &list[i]
				rows = append(rows, []string{c.Tenant, c.ConflictID, kindOf(c), shown(c.DialerValue), shown(c.CRMValue), since(c.OpenedAt), c.Status})
			}
			return table(cmd.OutOrStdout(), "TENANT CONFLICT KIND DIALER CRM SINCE STATUS", rows)
		},
	}
	at.add(cmd)
	out.add(cmd)
	cmd.Flags().StringVar(&tenant, "tenant", "", "one tenant's only")
	cmd.Flags().BoolVar(&all, "all", false, "also what was decided")
	return cmd
}

func conflictsShowCommand() *cobra.Command {
	var at clusterFlags
	var out outputFlag
	cmd := &cobra.Command{
		Use: "show TENANT CONFLICT", Short: "Show one, and how it is decided", Args: cobra.ExactArgs(2),
		Example: "  crmstream conflicts show acme value:p17:title",
		RunE: func(cmd *cobra.Command, args []string) error {
			x, stop, err := inbox(&at)
			if err != nil {
				return err
			}
			defer stop()
			c, err := x.Get(cmd.Context(), args[0], args[1])
			if err != nil {
				return notThere(err)
			}
			if out.json() {
				return printJSON(cmd.OutOrStdout(), c)
			}
			return printConflict(cmd.OutOrStdout(), &c)
		},
	}
	at.add(cmd)
	out.add(cmd)
	return cmd
}

func conflictsResolveCommand() *cobra.Command {
	var at clusterFlags
	var take, value, why, by string
	var same, apart, empty bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "resolve TENANT CONFLICT", Short: "Decide one", Args: cobra.ExactArgs(2),
		Long: "Decide one: whose value a field has (--take), or whether two are the same person (--same, --apart),\nor that a CRM's field is meant as it is now (--take crm).\n" +
			"It is done by the pipeline, within moments. Exit status 1 if it is not done yet.",
		Example: "  crmstream conflicts resolve acme value:p17:title --take crm --why \"she told us\"\n" +
			"  crmstream conflicts resolve acme value:p17:title --take value --value \"Head of Sales\"\n" +
			"  crmstream conflicts resolve acme same:p18:p17 --apart\n" +
			"  crmstream conflicts resolve acme drift:salesforce:Lead:Rating__c --take crm",
		RunE: func(cmd *cobra.Command, args []string) error {
			tenant, id := args[0], args[1]
			x, stop, err := inbox(&at)
			if err != nil {
				return err
			}
			defer stop()
			c, err := x.Get(cmd.Context(), tenant, id)
			if err != nil {
				return notThere(err)
			}
			if c.Status != "open" {
				return found("%s %s is %s already", tenant, id, c.Status)
			}
			now := time.Now()
			a := &schemas.ControlAction{ActionID: "resolve-" + id + "-" + strconv.FormatInt(now.UnixNano(), 36), At: now.UnixMilli(), By: by, Fields: []schemas.Field{schemas.Text("conflict", id)}}
			switch kind := kindOf(&c); kind {
			case "value", "undone":
				a.Kind = schemas.ActionResolveConflict
				if same || apart || take != "crm" && take != "dialer" && take != "value" || (take == "value") != (cmd.Flags().Changed("value") || empty) {
					return &exitError{exitInput, errors.New("say --take crm, --take dialer, or --take value with --value TEXT or --empty")}
				}
				a.Fields = append(a.Fields, schemas.Text("take", take))
				switch {
				case empty:
					a.Fields = append(a.Fields, schemas.Field{Name: "value"})
				case take == "value":
					a.Fields = append(a.Fields, schemas.Text("value", value))
				}
			case "drift", "new_field":
				if take != "crm" || same || apart || empty {
					return &exitError{exitInput, errors.New("say --take crm: the CRM's field is as it is meant; or mend what conflicts show says")}
				}
				if mend := whole(c.DialerValue); kind == "drift" && !strings.Contains(mend, "--take crm") { // the pipeline would refuse it
					return found("%s can't be accepted as it is: %s", id, mend)
				}
				a.Kind = schemas.ActionResolveConflict
				a.Fields = append(a.Fields, schemas.Text("take", take))
			case "same_person":
				if same == apart || take != "" {
					return &exitError{exitInput, errors.New("say --same or --apart")}
				}
				a.Kind = schemas.ActionSplitMatch
				if same {
					a.Kind = schemas.ActionConfirmMatch
				}
			default:
				return &exitError{exitInput, fmt.Errorf("%s is not decided here: %s", id, mendOf(kind))}
			}
			if why != "" {
				a.Fields = append(a.Fields, schemas.Text("why", why))
			}
			if err := x.Send(cmd.Context(), tenant, a); err != nil {
				return err
			}
			if c, err = x.Await(cmd.Context(), tenant, id, wait); errors.Is(err, conflicts.ErrWaits) {
				return found("%w", err)
			} else if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s is %s\n", tenant, id, c.Status)
			return nil
		},
	}
	at.add(cmd)
	cmd.Flags().StringVar(&take, "take", "", `whose value: "crm", "dialer" or "value"`)
	cmd.Flags().StringVar(&value, "value", "", "with --take value: the value, as the dialer writes it")
	cmd.Flags().BoolVar(&empty, "empty", false, "with --take value: the field is empty")
	cmd.Flags().BoolVar(&same, "same", false, "they are one person")
	cmd.Flags().BoolVar(&apart, "apart", false, "they are not, and that is remembered")
	cmd.Flags().StringVar(&why, "why", "", "why, kept with the decision")
	cmd.Flags().StringVar(&by, "by", os.Getenv("USER"), "who decides, kept with the decision")
	cmd.Flags().DurationVar(&wait, "wait", 15*time.Second, "how long to wait until it is done")
	return cmd
}

func inbox(at *clusterFlags) (*conflicts.Inbox, func(), error) {
	_, cl, codec, err := at.connect(tenants.ClientOpts()...)
	if err != nil {
		return nil, nil, err
	}
	return conflicts.New(cl, codec), cl.Close, nil
}

func notThere(err error) error {
	if errors.Is(err, conflicts.ErrUnknown) {
		return &exitError{exitFound, err}
	}
	return err
}

func kindOf(c *schemas.SyncConflict) string {
	if c.Kind == "" {
		return "value"
	}
	return c.Kind
}

// mendOf says where something that is no choice is put right.
func mendOf(kind string) string {
	switch kind {
	case "unmapped_rep":
		return "give the rep a user in the CRM, or map the e-mail under owners in the tenant's document"
	case "unmapped_disposition":
		return "make the disposition in the CRM, or map it under dispositions in the tenant's document"
	}
	return "the kind " + kind + " is not known to this version"
}

func printConflict(w io.Writer, c *schemas.SyncConflict) error {
	fmt.Fprintf(w, "%s %s (%s, since %s)\n", c.ConflictID, c.Status, kindOf(c), since(c.OpenedAt))
	record := c.Record.Provider + "/" + c.Record.Object + "/" + c.Record.ID
	var rows [][]string
	switch kindOf(c) {
	case "same_person":
		rows = [][]string{{"known", c.PersonID, shown(c.DialerValue)}, {"record", record, shown(c.CRMValue)}, {"because", c.Field, ""}}
	case "drift", "new_field":
		rows = [][]string{{"dialer", c.Field, "mapped to it"}, {"CRM", record + fieldOfCRM(c), whole(c.CRMValue)}}
		switch {
		case kindOf(c) == "new_field":
			rows[0][2] = "may be mapped to it"
		case strings.HasPrefix(c.Field, "crm."):
			rows[0] = []string{"scope", c.Field, "has a condition on it"}
		}
	case "value", "undone":
		rows = [][]string{{"dialer", c.PersonID + " " + c.Field, shown(c.DialerValue)}, {"CRM", record, shown(c.CRMValue)}}
	default:
		rows = [][]string{{"dialer", c.Field, shown(c.DialerValue)}, {"CRM", record, "has nothing for it"}}
	}
	if p := c.Provenance; p != nil {
		rows = append(rows, []string{"last", p.Origin + " " + since(p.EventTime), p.SourceRef})
	}
	if err := table(w, "SIDE WHERE WHAT", rows); err != nil {
		return err
	}
	if c.Status != "open" {
		return nil
	}
	next := ""
	switch kind := kindOf(c); kind {
	case "value", "undone":
		next = "crmstream conflicts resolve " + c.Tenant + " " + c.ConflictID + " --take crm|dialer|value"
	case "same_person":
		next = "crmstream conflicts resolve " + c.Tenant + " " + c.ConflictID + " --same|--apart"
	case "drift":
		next = whole(c.DialerValue)
	case "new_field":
		next = "map it, under mapping: contact: " + whole(c.DialerValue) + "; or put it aside: crmstream conflicts resolve " + c.Tenant + " " + c.ConflictID + " --take crm"
	default:
		next = mendOf(kind)
	}
	_, err := fmt.Fprintln(w, "next:", next)
	return err
}

// fieldOfCRM is the CRM's field that a drift is about, which its id ends with.
func fieldOfCRM(c *schemas.SyncConflict) string {
	return c.ConflictID[strings.LastIndexByte(c.ConflictID, ':')+1:]
}

// whole is a text of ours, which is never cut.
func whole(v *string) string {
	if v == nil {
		return ""
	}
	return *v
}

// shown is a value for people: in quotes, so that an empty one and blanks are seen.
func shown(v *string) string {
	if v == nil {
		return "empty"
	}
	r := []rune(*v)
	if len(r) > 60 {
		r = append(r[:59:59], '…')
	}
	return strconv.Quote(string(r))
}

func since(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }
