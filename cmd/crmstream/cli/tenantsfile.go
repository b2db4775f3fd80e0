package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/cmd/crmstream/strictyaml"
	"github.com/crmstream/crmstream/cmd/crmstream/tenants"
	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/pipeline/script"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

func configsOf(docs []config.Document) []schemas.TenantConfig {
	configs := make([]schemas.TenantConfig, len(docs))
	for i := range docs {
		configs[i] = docs[i].Config
	}
	return configs
}

// examples runs the tests that stand beside the mappings, and prints the warnings.
func examples(cmd *cobra.Command, docs []config.Document) error {
	var failed strictyaml.Mistakes
	for i := range docs {
		bad, _ := config.RunTests(&docs[i], all.Providers())
		failed = append(failed, bad...)
		warn(cmd.ErrOrStderr(), docs[i].Warnings)
	}
	return failed.Err()
}

func warn(w io.Writer, warnings strictyaml.Mistakes) {
	slices.SortStableFunc(warnings, func(a, b strictyaml.Mistake) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	for _, m := range warnings {
		fmt.Fprintln(w, "warning:", m)
	}
}

// fileCommand is a command that reads a file of tenants, and nothing else but what fields
// the CRMs have, where it is to check that.
func fileCommand(use, short, example string, do func(cmd *cobra.Command, docs []config.Document) error, fields ...*fieldsCheck) *cobra.Command {
	var at clusterFlags
	var file string
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs, Example: example,
		RunE: func(cmd *cobra.Command, _ []string) error {
			src, err := readInput(cmd, file)
			if err != nil {
				return err
			}
			c, _, _, err := at.resolve()
			if err != nil {
				return err
			}
			docs, err := config.Documents(inputName(file), src, c.Servers, all.Providers())
			if err != nil {
				return err
			}
			return do(cmd, docs)
		},
	}
	if len(fields) > 0 {
		fields[0].at = &at
		at.add(cmd)
	} else {
		cmd.Flags().StringVarP(&at.file, "config", "c", "", "configuration file of the process, whose servers the tenants may name")
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "the file; - for standard input")
	_ = cmd.MarkFlagRequired("file")
	return cmd
}

func tenantsLintCommand() *cobra.Command {
	var fields fieldsCheck
	cmd := fileCommand("lint -f FILE", "Check a file of tenants, and change nothing", "  crmstream tenants lint -f acme.yaml", func(cmd *cobra.Command, docs []config.Document) error {
		if err := fields.check(cmd, docs); err != nil {
			return err
		}
		if err := examples(cmd, docs); err != nil {
			return err
		}
		warnShared(cmd.ErrOrStderr(), docs, nil)
		for i := range docs {
			fmt.Fprintf(cmd.OutOrStdout(), "%s: well, with %d warnings\n", docs[i].Config.Tenant, len(docs[i].Warnings))
		}
		return nil
	}, &fields)
	fields.add(cmd)
	return cmd
}

func tenantsTestCommand() *cobra.Command {
	return fileCommand("test -f FILE", "Run the examples that stand beside the mappings", "  crmstream tenants test -f acme.yaml", func(cmd *cobra.Command, docs []config.Document) error {
		var failed strictyaml.Mistakes
		for i := range docs {
			bad, ran := config.RunTests(&docs[i], all.Providers())
			failed = append(failed, bad...)
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d examples, %d of them fail\n", docs[i].Config.Tenant, ran, len(bad))
		}
		for _, m := range failed {
			fmt.Fprintln(cmd.OutOrStdout(), m)
		}
		if len(failed) > 0 {
			return found("%d examples fail", len(failed))
		}
		return nil
	})
}

// compared is a tenant of a file beside what is applied.
type compared struct {
	doc config.Document
	old schemas.TenantConfig // its zero value if the tenant is new
}

// compareCommand is a command that compares a file with what is applied.
func compareCommand(use, short, example string, do func(cmd *cobra.Command, reg *tenants.Registry, all []compared) error) *cobra.Command {
	var at clusterFlags
	var file string
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs, Example: example,
		RunE: func(cmd *cobra.Command, _ []string) error {
			src, err := readInput(cmd, file)
			if err != nil {
				return err
			}
			c, reg, done, err := open(&at)
			if err != nil {
				return err
			}
			defer done()
			docs, err := config.Documents(inputName(file), src, c.Servers, all.Providers())
			if err != nil {
				return err
			}
			newest, err := reg.List(cmd.Context())
			if err != nil {
				return err
			}
			var cs []compared
			for i := range docs {
				one := compared{doc: docs[i]}
				for j := range newest {
					if newest[j].Tenant == docs[i].Config.Tenant {
						one.old = newest[j]
					}
				}
				cs = append(cs, one)
			}
			return do(cmd, reg, cs)
		},
	}
	at.add(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "the file; - for standard input")
	_ = cmd.MarkFlagRequired("file")
	return cmd
}

func tenantsDiffCommand() *cobra.Command {
	return compareCommand("diff -f FILE", "Show what a file would change in the tenants' settings", "  crmstream tenants diff -f acme.yaml", func(cmd *cobra.Command, _ *tenants.Registry, cs []compared) error {
		for _, c := range cs {
			showDiff(cmd.OutOrStdout(), c)
		}
		return nil
	})
}

func showDiff(w io.Writer, c compared) {
	lines := tenants.Diff(&c.old, &c.doc.Config)
	switch {
	case c.old.Version == 0:
		fmt.Fprintf(w, "%s is new\n", c.doc.Config.Tenant)
	case len(lines) == 0:
		fmt.Fprintf(w, "%s is at version %d, and nothing differs\n", c.doc.Config.Tenant, c.old.Version)
	default:
		fmt.Fprintf(w, "%s is at version %d\n", c.doc.Config.Tenant, c.old.Version)
	}
	for _, l := range lines {
		fmt.Fprintln(w, l)
	}
}

func tenantsPreviewCommand() *cobra.Command {
	return compareCommand("preview -f FILE", "Show which records a file would touch, and how many API calls that takes", "  crmstream tenants preview -f acme.yaml", func(cmd *cobra.Command, reg *tenants.Registry, cs []compared) error {
		host := script.New(script.Options{})
		defer host.Close()
		for _, c := range cs {
			showDiff(cmd.OutOrStdout(), c)
			p := preview(&c, host)
			last := make(map[string]*schemas.SyncContact)
			if err := reg.Contacts(cmd.Context(), c.doc.Config.Tenant, func(s *schemas.SyncContact) { last[s.PersonID] = s }); err != nil {
				return err
			}
			for _, id := range sortedNames(last) {
				p.Person(last[id])
			}
			showPreview(cmd.OutOrStdout(), p, len(last))
		}
		return nil
	})
}

func preview(c *compared, scripts mapping.Scripts) *tenants.Preview {
	base := config.Base(all.Providers())
	was, _ := base.Compile(&c.old)
	is, _ := base.Compile(&c.doc.Config)
	var ps []*profile.Profile
	for _, p := range all.Providers() {
		ps = append(ps, p.Profile())
	}
	return tenants.NewPreview(was, is, scripts, ps)
}

func showPreview(w io.Writer, p *tenants.Preview, people int) {
	touched := p.Touched()
	if len(touched) == 0 {
		fmt.Fprintf(w, "no record of %d people would be written otherwise\n", people)
		return
	}
	for _, t := range touched {
		fmt.Fprintf(w, "%s %s: %s of %d people would be written otherwise, in %s\n", t.Provider, t.Object, counted(t.Records, "record"), people, counted(t.Requests, "API call"))
		for _, s := range t.Samples {
			after := strconv.Quote(s.After)
			if s.Why != "" {
				after = "not written: " + s.Why
			}
			fmt.Fprintf(w, "  %s %s %s: %q → %s\n", s.Person, s.Record, s.Field, s.Before, after)
		}
	}
	if p.Refused > 0 {
		fmt.Fprintf(w, "%s would not be written any more\n", counted(p.Refused, "value"))
	}
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func tenantsHistoryCommand() *cobra.Command {
	var at clusterFlags
	var out outputFlag
	cmd := &cobra.Command{
		Use: "history TENANT", Short: "Show every version of a tenant's configuration, and what changed", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, reg, done, err := open(&at)
			if err != nil {
				return err
			}
			defer done()
			versions, err := reg.History(cmd.Context(), args[0])
			if err != nil {
				return &exitError{exitInput, err}
			}
			if out.json() {
				return printJSON(cmd.OutOrStdout(), versions)
			}
			old := schemas.TenantConfig{}
			for i := range versions {
				c := &versions[i]
				what := ""
				if c.Removed {
					what = "  removed"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "version %d  %s%s\n", c.Version, time.UnixMilli(c.AppliedAt).UTC().Format(time.RFC3339), what)
				if !c.Removed {
					lines := tenants.Diff(&old, c)
					if len(lines) == 0 {
						lines = []string{"nothing differs from the version before"}
					}
					for _, l := range lines {
						fmt.Fprintln(cmd.OutOrStdout(), "  "+l)
					}
					old = *c
				}
			}
			return nil
		},
	}
	at.add(cmd)
	out.add(cmd)
	return cmd
}

func tenantsRollbackCommand() *cobra.Command {
	var at clusterFlags
	var to int64
	cmd := &cobra.Command{
		Use: "rollback TENANT --to VERSION", Short: "Make an earlier version of a tenant's configuration the newest one", Args: cobra.ExactArgs(1),
		Example: "  crmstream tenants rollback acme --to 3",
		RunE: func(cmd *cobra.Command, args []string) error {
			_, reg, done, err := open(&at)
			if err != nil {
				return err
			}
			defer done()
			c, err := reg.Rollback(cmd.Context(), args[0], to, func(c *schemas.TenantConfig) error {
				_, problems := config.Base(all.Providers()).Compile(c)
				if bad := mapping.Errors(problems); len(bad) > 0 {
					return fmt.Errorf("version %d can't be any more: %s", to, bad[0])
				}
				return nil
			})
			if err != nil {
				return &exitError{exitInput, err}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is as in version %d, with version %d\n", args[0], to, c.Version)
			return err
		},
	}
	at.add(cmd)
	cmd.Flags().Int64Var(&to, "to", 0, "the version; crmstream tenants history shows them")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
