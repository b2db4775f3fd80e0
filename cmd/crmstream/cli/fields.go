package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/cmd/crmstream/explain"
	"github.com/crmstream/crmstream/cmd/crmstream/status"
	"github.com/crmstream/crmstream/cmd/crmstream/strictyaml"
	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

func tenantsFieldsCommand() *cobra.Command {
	var at clusterFlags
	var out outputFlag
	var object, address string
	var every bool
	cmd := &cobra.Command{
		Use: "fields TENANT", Short: "Show what fields a tenant's CRMs have, how they are mapped, and lines for those that are not", Args: cobra.ExactArgs(1),
		Long: `Show what fields a tenant's CRMs have, how they are mapped, and lines for those that are not.

What the CRMs say is read when an account is connected, and every six hours. The
process that owns the tenant is asked: on this machine, or with what http.token
refers to. Without --all, fields that every account has and nothing is mapped to
are left out.
Exit status 1 if the tenant has no such kind of record, or is not configured.`,
		Example: "  crmstream tenants fields acme\n  crmstream tenants fields acme --object Lead --all",
		RunE: func(cmd *cobra.Command, args []string) error {
			tenant := args[0]
			if !schemas.ValidTenant(tenant) {
				return &exitError{exitInput, fmt.Errorf("%q is no tenant's name", tenant)}
			}
			c, cl, _, err := at.connect(status.ClientOpts()...)
			if err != nil {
				return err
			}
			defer cl.Close()
			_, address, token, err := askWhom(cmd.Context(), c, cl, tenant, address)
			if err != nil {
				return err
			}
			f, err := explain.Fields(cmd.Context(), address, token, tenant)
			if _, nothing := errors.AsType[explain.NothingError](err); nothing {
				return &exitError{exitFound, err}
			}
			if err != nil {
				return err
			}
			if object != "" {
				known := make([]string, 0, len(f.Objects))
				for i := range f.Objects {
					known = append(known, f.Objects[i].Object)
				}
				f.Objects = slices.DeleteFunc(f.Objects, func(o pipeline.FieldsOf) bool { return o.Object != object })
				if len(f.Objects) == 0 {
					return found("the CRMs of %s are not asked for the fields of %q, but for those of %s", tenant, object, strings.Join(known, ", "))
				}
			}
			if out.json() {
				return printJSON(cmd.OutOrStdout(), f)
			}
			return printFields(cmd.OutOrStdout(), f, every)
		},
	}
	at.add(cmd)
	out.add(cmd)
	cmd.Flags().StringVar(&object, "object", "", "this kind of record alone, in the CRM's words")
	cmd.Flags().BoolVar(&every, "all", false, "also fields that every account has and nothing is mapped to")
	cmd.Flags().StringVar(&address, "address", "", "HOST:PORT of the process to ask (default: the owner of the tenant's partition)")
	return cmd
}

// askWhom returns a tenant's partition, the address of the process that owns it, unless one
// is given, and the token that it wants.
func askWhom(ctx context.Context, c *config.Config, cl *kgo.Client, tenant, given string) (partition int32, address, token string, err error) {
	adm := kadm.NewClient(cl)
	topics, err := adm.ListTopics(ctx, schemas.TopicControlTenants)
	if err != nil {
		return 0, "", "", fmt.Errorf("Kafka does not answer (is the pipeline or broker running?): %w", err)
	}
	n := len(topics[schemas.TopicControlTenants].Partitions)
	if n == 0 {
		return 0, "", "", fmt.Errorf("there is no topic %s: crmstream topics create", schemas.TopicControlTenants)
	}
	partition = schemas.PartitionOf(tenant, int32(n))
	if address = given; address == "" {
		owner, err := status.Owner(ctx, adm, c.Kafka.Group, partition)
		if err != nil {
			return 0, "", "", err
		}
		address = owner.Address
	}
	if c.HTTP.Token != "" {
		token, err = config.Secret(ctx, c.HTTP.Token)
	}
	return partition, address, token, err
}

func printFields(w io.Writer, f *pipeline.Fields, every bool) error {
	var lines proposed
	for i := range f.Objects {
		o := &f.Objects[i]
		if i > 0 {
			fmt.Fprintln(w)
		}
		if !o.Described {
			fmt.Fprintf(w, "%s %s: the CRM has not said what fields it has (yet, or the user may not see it)\n", o.Provider, o.Object)
			continue
		}
		fmt.Fprintf(w, "%s %s: %d fields", o.Provider, o.Object, len(o.Fields))
		if o.Left > 0 {
			fmt.Fprintf(w, ", and %d more that were too many to keep", o.Left)
		}
		fmt.Fprintln(w)
		var rows [][]string
		for k := range o.Fields {
			v := &o.Fields[k]
			if !every && !v.Custom && len(v.Mapped) == 0 && v.Why == "" && !v.Missing {
				continue
			}
			rows = append(rows, []string{v.Name, orDash(v.Label), typeOf(v), mappedBy(v), noteOf(v)})
			if v.Proposal != "" {
				lines.add(v)
			}
		}
		if err := table(w, "FIELD LABEL TYPE MAPPED NOTE", rows); err != nil {
			return err
		}
	}
	return lines.print(w)
}

// proposed are lines for a tenant's document, by the dialer's field in the order of the
// first: of several kinds of record they are a list.
type proposed struct {
	fields []string
	lines  map[string][]string
}

func (p *proposed) add(v *pipeline.FieldView) {
	field, line, _ := strings.Cut(v.Proposal, ": ")
	if v.Why != "" {
		line += "  # " + v.Why
	}
	if p.lines == nil {
		p.lines = make(map[string][]string)
	}
	if p.lines[field] == nil {
		p.fields = append(p.fields, field)
	}
	p.lines[field] = append(p.lines[field], line)
}

func (p *proposed) print(w io.Writer) error {
	if len(p.fields) == 0 {
		return nil
	}
	fmt.Fprint(w, "\nlines for what is not mapped:\n\nmapping:\n  contact:\n")
	for _, f := range p.fields {
		if len(p.lines[f]) == 1 {
			fmt.Fprintf(w, "    %s: %s\n", f, p.lines[f][0])
			continue
		}
		fmt.Fprintf(w, "    %s:\n      - %s\n", f, strings.Join(p.lines[f], "\n      - "))
	}
	return nil
}

func typeOf(v *pipeline.FieldView) string {
	s := orDash(v.Type)
	if v.Length > 0 {
		s += fmt.Sprintf("(%d)", v.Length)
	}
	return s
}

func mappedBy(v *pipeline.FieldView) string {
	var ms []string
	for _, m := range v.Mapped {
		s := m.Field + " " + m.Direction
		if m.Default {
			s += " (default)"
		}
		ms = append(ms, s)
	}
	return orDash(strings.Join(ms, ", "))
}

func noteOf(v *pipeline.FieldView) string {
	switch {
	case v.Drift != nil:
		return v.Drift.What + " → " + v.Drift.Mend
	case v.Missing:
		return "it is not there"
	case v.Formula:
		return "computed"
	case !v.Updatable:
		return "read-only"
	case v.Required:
		return "a new record needs it"
	}
	return ""
}

// fieldsCheck compares documents with what the CRMs of applied tenants describe.
type fieldsCheck struct {
	at      *clusterFlags
	offline bool
}

func (x *fieldsCheck) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&x.offline, "offline", false, "do not ask the pipeline what fields the CRMs have")
}

// answersWithin bounds the wait for somebody who may not be there.
const answersWithin = 500 * time.Millisecond

// check returns what is wrong, as one error; what could not be checked is a warning.
func (x *fieldsCheck) check(cmd *cobra.Command, docs []config.Document) error {
	var mistakes strictyaml.Mistakes
	for i := range docs {
		d := &docs[i]
		if len(d.Config.Accounts) == 0 {
			continue
		}
		f, err := x.ask(cmd.Context(), d.Config.Tenant)
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s: whether the CRMs have the mapped fields was not checked: %v\n", d.Config.Tenant, err)
			continue
		}
		bad, checked := d.Against(all.Providers(), f)
		if checked == 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s: whether the CRMs have the mapped fields was not checked: they have not said yet what fields they have\n", d.Config.Tenant)
			continue
		}
		mistakes = append(mistakes, bad...)
	}
	if len(mistakes) > 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "what fields the CRMs have was read up to six hours ago: for one that was made since, apply with --offline, and they are asked again")
	}
	return mistakes.Err()
}

var errOffline = errors.New("--offline")

func (x *fieldsCheck) ask(ctx context.Context, tenant string) (*pipeline.Fields, error) {
	if x.offline {
		return nil, errOffline
	}
	c, brokers, _, err := x.at.resolve()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if !answers(ctx, brokers) {
		return nil, errors.New("no broker answers at " + strings.Join(brokers, ","))
	}
	_, cl, _, err := x.at.connect(status.ClientOpts()...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	_, address, token, err := askWhom(ctx, c, cl, tenant, "")
	if err != nil {
		return nil, err
	}
	f, err := explain.Fields(ctx, address, token, tenant)
	if _, nothing := errors.AsType[explain.NothingError](err); nothing {
		return nil, errors.New("the tenant is not applied yet, so its CRMs have said nothing")
	}
	return f, err
}

func answers(ctx context.Context, brokers []string) bool {
	d := net.Dialer{Timeout: answersWithin}
	for _, b := range brokers {
		if conn, err := d.DialContext(ctx, "tcp", b); err == nil {
			_ = conn.Close()
			return true
		}
	}
	return false
}
