package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/cmd/crmstream/tenants"
	"github.com/crmstream/crmstream/connectors/all"
)

func tenantsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "tenants", Short: "Check, apply, list, show, roll back and remove tenants"}
	cmd.AddCommand(tenantsLintCommand(), tenantsTestCommand(), tenantsDiffCommand(), tenantsPreviewCommand(), tenantsApplyCommand(), tenantsHistoryCommand(),
		tenantsRollbackCommand(), tenantsSchemaCommand(), tenantsListCommand(), tenantsFieldsCommand(), tenantsShowCommand(), tenantsRemoveCommand())
	return cmd
}

func open(at *clusterFlags) (*config.Config, *tenants.Registry, func(), error) {
	c, cl, codec, err := at.connect(tenants.ClientOpts()...)
	if err != nil {
		return nil, nil, nil, err
	}
	return c, tenants.New(cl, codec), cl.Close, nil
}

func tenantsApplyCommand() *cobra.Command {
	var at clusterFlags
	var file string
	fields := fieldsCheck{at: &at}
	cmd := &cobra.Command{
		Use: "apply -f FILE", Short: "Check a file of tenants and make it their configuration", Args: cobra.NoArgs,
		Example: "  crmstream tenants apply -f acme.yaml",
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
			if err := fields.check(cmd, docs); err != nil {
				return err
			}
			if err := examples(cmd, docs); err != nil {
				return err
			}
			known, err := reg.List(cmd.Context())
			if err != nil {
				return err
			}
			warnShared(cmd.ErrOrStderr(), docs, known)
			applied, err := reg.Apply(cmd.Context(), configsOf(docs))
			for _, a := range applied {
				fmt.Fprintf(cmd.OutOrStdout(), "%s is at version %d\n", a.Tenant, a.Version)
			}
			return err
		},
	}
	at.add(cmd)
	fields.add(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "the file; - for standard input")
	_ = cmd.MarkFlagRequired("file")
	return cmd
}

func tenantsSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of a tenant's file, for editors", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(config.Schema(all.Providers()))
			return err
		},
	}
}

func readInput(cmd *cobra.Command, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(cmd.InOrStdin(), 64<<20))
	}
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, &exitError{exitInput, fmt.Errorf("reading %s: %w", file, err)}
	}
	return src, nil
}

// inputName is what messages call a file of readInput.
func inputName(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

func tenantsListCommand() *cobra.Command {
	var at clusterFlags
	var out outputFlag
	cmd := &cobra.Command{
		Use: "list", Short: "List the tenants", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, reg, done, err := open(&at)
			if err != nil {
				return err
			}
			defer done()
			list, err := reg.List(cmd.Context())
			if err != nil {
				return err
			}
			if out.json() {
				return printJSON(cmd.OutOrStdout(), list)
			}
			var rows [][]string
			for _, t := range list {
				var crms []string
				for _, a := range t.Accounts {
					crms = append(crms, a.Provider+" "+a.ID)
				}
				rows = append(rows, []string{t.Tenant, strconv.FormatInt(t.Version, 10), t.TimeZone, strings.Join(crms, ", ")})
			}
			return table(cmd.OutOrStdout(), "TENANT VERSION TIMEZONE ACCOUNTS", rows)
		},
	}
	at.add(cmd)
	out.add(cmd)
	return cmd
}

func tenantsShowCommand() *cobra.Command {
	var at clusterFlags
	var out outputFlag
	cmd := &cobra.Command{
		Use: "show TENANT", Short: "Show a tenant's configuration as it was written", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, reg, done, err := open(&at)
			if err != nil {
				return err
			}
			defer done()
			t, err := reg.Get(cmd.Context(), args[0])
			if err != nil {
				return &exitError{exitInput, err}
			}
			if out.json() {
				return printJSON(cmd.OutOrStdout(), t)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "# %s, version %d\n%s", t.Tenant, t.Version, t.Document)
			return nil
		},
	}
	at.add(cmd)
	out.add(cmd)
	return cmd
}

func tenantsRemoveCommand() *cobra.Command {
	var at clusterFlags
	cmd := &cobra.Command{
		Use: "remove TENANT", Short: "Stop syncing a tenant; its history stays", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, reg, done, err := open(&at)
			if err != nil {
				return err
			}
			defer done()
			t, err := reg.Remove(cmd.Context(), args[0])
			if err != nil {
				return &exitError{exitInput, err}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is removed with version %d\n", t.Tenant, t.Version)
			return err
		},
	}
	at.add(cmd)
	return cmd
}
