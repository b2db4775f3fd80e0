package cli

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crmstream/crmstream/cmd/crmstream/status"
)

func statusCommand() *cobra.Command {
	var at clusterFlags
	var out outputFlag
	var most int
	cmd := &cobra.Command{
		Use: "status", Short: "Show members, partitions and how far they are behind, and the tenants that are worst off", Args: cobra.NoArgs,
		Long: "Show members, partitions and how far they are behind, and the tenants that are worst off.\nExit status 1 if a partition has no owner that works on it.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, cl, codec, err := at.connect(status.ClientOpts()...)
			if err != nil {
				return err
			}
			defer cl.Close()
			r, err := status.Gather(cmd.Context(), cl, codec, c.Kafka.Group)
			if err != nil {
				return err
			}
			if out.json() {
				err = printJSON(cmd.OutOrStdout(), r)
			} else {
				err = printStatus(cmd.OutOrStdout(), r, most)
			}
			if err != nil {
				return err
			}
			for _, p := range r.Partitions {
				if p.State != status.Running && p.State != status.Restoring {
					return found("partition %d is %s", p.Partition, p.State)
				}
			}
			return nil
		},
	}
	at.add(cmd)
	out.add(cmd)
	cmd.Flags().IntVar(&most, "tenants", 10, "how many tenants to show")
	return cmd
}

func printStatus(w io.Writer, r *status.Report, most int) error {
	fmt.Fprintf(w, "group %s: %s, %d members\n\n", r.Group, r.GroupState, len(r.Members))
	var rows [][]string
	for _, m := range r.Members {
		var ps []string
		for _, p := range m.Partitions {
			ps = append(ps, strconv.Itoa(int(p)))
		}
		rows = append(rows, []string{m.Instance, orDash(m.Address), orDash(strings.Join(ps, ",")), m.Problem})
	}
	if err := table(w, "MEMBER API PARTITIONS PROBLEM", rows); err != nil {
		return err
	}
	rows = nil
	for _, p := range r.Partitions {
		state := p.State
		if p.State == status.Restoring {
			state += " " + strconv.Itoa(p.Restored) + "%"
		}
		rows = append(rows, []string{strconv.Itoa(int(p.Partition)), state, orDash(p.Owner), strconv.FormatInt(p.Lag, 10), strconv.FormatInt(p.Sequence, 10), p.Why})
	}
	fmt.Fprintln(w)
	if err := table(w, "PARTITION STATE OWNER LAG TRANSACTIONS WHY", rows); err != nil {
		return err
	}
	rows = nil
	for _, t := range r.Tenants[:min(most, len(r.Tenants))] {
		rows = append(rows, []string{t.Tenant, t.Provider, t.State, strconv.FormatInt(t.Pending, 10), strconv.FormatFloat(t.Errors, 'f', 1, 64) + "%", cause(&t)})
	}
	fmt.Fprintln(w)
	if err := table(w, "TENANT CRM STATE WAITING ERRORS CAUSE", rows); err != nil {
		return err
	}
	if n := len(r.Tenants) - most; n > 0 {
		fmt.Fprintf(w, "and %d more: --tenants N\n", n)
	}
	if slices.ContainsFunc(r.Tenants, func(t status.Tenant) bool { return t.State == "parked" || t.State == "credential_lost" }) {
		fmt.Fprintln(w, "\nparked: somebody must mend the user or the app in the CRM, or crm: in the tenant's file. It is tried once a minute, and at once after crmstream tenants apply -f FILE")
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// cause says why an account is not well, and what is done in the background.
func cause(t *status.Tenant) string {
	var words []string
	if t.Cause != "" {
		words = append(words, t.Cause)
	}
	for _, what := range t.Rereading {
		words = append(words, "reading again "+what)
	}
	return strings.Join(words, "; ")
}
