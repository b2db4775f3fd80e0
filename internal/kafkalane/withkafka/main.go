// Command withkafka runs a command beside an Apache Kafka and an Apicurio Registry,
// which it starts and ends:
//
//	withkafka [-defaults] [-no-registry] -- COMMAND ARGS…
//
// The command finds them in CRMSTREAM_TEST_BROKERS and CRMSTREAM_TEST_REGISTRY, and
// its status is this command's. Status 3: the machine lacks something, one line says
// what. The parts' logs are shown if the command fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/crmstream/crmstream/internal/kafkalane"
)

func main() { os.Exit(run()) }

func run() int {
	var cfg kafkalane.Config
	flag.BoolVar(&cfg.Defaults, "defaults", false, "the broker's own settings instead of deploy/kafka/broker.properties")
	flag.BoolVar(&cfg.NoRegistry, "no-registry", false, "the broker alone")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "withkafka: no command: withkafka [-defaults] [-no-registry] -- COMMAND ARGS…")
		return 2
	}
	ctx, stop := untilSignal()
	defer stop()
	began := time.Now()
	lane, err := kafkalane.Start(ctx, cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withkafka:", err)
		return status(err)
	}
	defer lane.Close()
	fmt.Fprintf(os.Stderr, "withkafka: Apache Kafka %s at %s, registry at %s, after %v\n", kafkalane.KafkaVersion, lane.Broker, lane.RegistryURL, time.Since(began).Round(10*time.Millisecond))
	err = command(ctx, flag.Args(), lane.Environ())
	if err == nil {
		return 0
	}
	lane.Logs(os.Stderr)
	fmt.Fprintf(os.Stderr, "withkafka: %s: %v\n", flag.Arg(0), err)
	return status(err)
}

func untilSignal() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
}

// status is what the process ends with after an error.
func status(err error) int {
	var exit *exec.ExitError
	switch {
	case errors.Is(err, kafkalane.ErrMissing):
		return 3
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	default:
		return 1
	}
}

// command runs the command in a process group of its own, which is told to end when
// ctx ends, killed 10 s later, and killed when the command itself has ended: what it
// started must not outlive it.
func command(ctx context.Context, args, env []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = kafkalane.OwnGroup()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	defer func() {
		if cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
	}()
	return kafkalane.Attached(cmd)
}
