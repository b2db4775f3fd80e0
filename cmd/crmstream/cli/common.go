package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/schemas/registry"
)

// logger returns the process's logger: quiet by default.
func logger(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelWarn
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// outputFlag is --output of commands that list.
type outputFlag string

func (o *outputFlag) add(cmd *cobra.Command) {
	*o = "text"
	cmd.Flags().Var(o, "output", `"text" or "json"`)
}

// String implements pflag.Value.
func (o *outputFlag) String() string { return string(*o) }

// Type implements pflag.Value.
func (o *outputFlag) Type() string { return "format" }

// Set implements pflag.Value.
func (o *outputFlag) Set(s string) error {
	if s != "text" && s != "json" {
		return fmt.Errorf(`%q is neither "text" nor "json"`, s)
	}
	*o = outputFlag(s)
	return nil
}

func (o *outputFlag) json() bool { return *o == "json" }

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// table prints rows in aligned columns.
func table(w io.Writer, head string, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, strings.ReplaceAll(head, " ", "\t"))
	for _, r := range rows {
		fmt.Fprintln(tw, strings.Join(r, "\t"))
	}
	return tw.Flush()
}

// clusterFlags say where the topics are: a configuration file, or addresses.
type clusterFlags struct {
	file     string
	brokers  []string
	registry string
}

func (f *clusterFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.file, "config", "c", "", "configuration file")
	cmd.Flags().StringSliceVar(&f.brokers, "brokers", nil, "Kafka brokers (default: the configuration's, else the embedded broker's address)")
	cmd.Flags().StringVar(&f.registry, "registry", "", "schema registry URL (default: likewise)")
}

// resolve returns the configuration and where to reach the topics.
func (f *clusterFlags) resolve() (c *config.Config, brokers []string, registryURL string, err error) {
	if c, err = config.Load(f.file, os.Environ()); err != nil {
		return nil, nil, "", err
	}
	brokers, registryURL = f.brokers, f.registry
	if len(brokers) == 0 {
		brokers = c.Kafka.Brokers
	}
	if len(brokers) == 0 {
		brokers = []string{c.Embedded.Listen}
	}
	if registryURL == "" {
		registryURL = c.Kafka.Registry
	}
	if registryURL == "" {
		registryURL = "http://" + c.Embedded.Registry
	}
	return c, brokers, registryURL, nil
}

// connect returns a client and a codec for the topics.
func (f *clusterFlags) connect(opts ...kgo.Opt) (*config.Config, *kgo.Client, *registry.Codec, error) {
	c, brokers, registryURL, err := f.resolve()
	if err != nil {
		return nil, nil, nil, err
	}
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(brokers...), kgo.ClientID("crmstream-cli"),
		kgo.RequestTimeoutOverhead(5 * time.Second), kgo.RetryTimeout(10 * time.Second), kgo.RecordDeliveryTimeout(15 * time.Second),
	}, opts...)...)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("connecting to Kafka at %s: %w", strings.Join(brokers, ","), err)
	}
	return c, cl, registry.NewCodec(registryURL), nil
}
