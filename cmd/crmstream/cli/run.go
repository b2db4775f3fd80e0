package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/cmd/crmstream/app"
	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/pipeline/run/embedded"
	"github.com/crmstream/crmstream/schemas/registry"
)

func runCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "run", Short: "Run the pipeline; with no brokers configured, with a broker of its own", Args: cobra.NoArgs,
		Example: "  crmstream run -c crmstream.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(file, os.Environ())
			if err != nil {
				return err
			}
			p, err := app.Start(cmd.Context(), cfg, logger(cfg.Log, cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			a := p.Addresses()
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "broker     %s\nregistry   %s\napi        %s\n", a.Broker, a.Registry, a.HTTP)
			if cfg.IsEmbedded() {
				fmt.Fprintf(out, "data       %s (embedded broker: survives kill -9, not a power cut)\n", cfg.Data)
			}
			for _, line := range p.Advice() {
				fmt.Fprintln(out, "costs     ", line)
			}
			fmt.Fprintln(out, "next       crmstream tenants apply -f FILE")
			err = p.Run(cmd.Context())
			if cerr := p.Close(cmd.Context()); err == nil {
				err = cerr
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration file")
	return cmd
}

func brokerCommand() *cobra.Command {
	var dir, listen, registryListen string
	var n int32
	cmd := &cobra.Command{
		Use: "broker", Short: "Run the embedded broker and registry as a process of its own", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := app.CheckPorts(app.Port{What: "the broker", Addr: listen, Flag: "--listen"}, app.Port{What: "the registry", Addr: registryListen, Flag: "--registry"}); err != nil {
				return err
			}
			b, err := embedded.Start(cmd.Context(), embedded.Config{Dir: filepath.Join(dir, "broker"), Listen: listen, RegistryListen: registryListen, Partitions: n,
				Logger: logger(config.Log{Level: "warn"}, cmd.ErrOrStderr())})
			if err != nil {
				return err
			}
			if err := prepareTopics(cmd.Context(), b, n); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "broker     %s\nregistry   %s\n", b.Addr(), b.RegistryURL())
			<-cmd.Context().Done()
			return b.Close(context.WithoutCancel(cmd.Context()))
		},
	}
	cmd.Flags().StringVar(&dir, "data", "./crmstream-data", "folder of the data")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:9092", "address for Kafka clients")
	cmd.Flags().StringVar(&registryListen, "registry", "127.0.0.1:8081", "address for registry clients")
	cmd.Flags().Int32Var(&n, "partitions", 8, "partitions of each topic, for ever")
	return cmd
}

func prepareTopics(ctx context.Context, b *embedded.Broker, n int32) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := run.EnsureTopics(ctx, cl, n, 1); err != nil {
		return err
	}
	return registry.NewCodec(b.RegistryURL()).Register(ctx)
}
