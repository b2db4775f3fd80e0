package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

func main() {
	only := flag.String("only", "", "run those whose promise or description matches this expression")
	parallel := flag.Int("parallel", min(2, runtime.GOMAXPROCS(0)), "mutants at a time")
	verbose := flag.Bool("v", false, "show what the tests say of each mutant")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *only, *parallel, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, parallel int, verbose bool) (err error) {
	began := time.Now()
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	var chosen []mutant
	for _, m := range mutants() {
		if wanted.MatchString(m.promise + " " + m.what) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no mutant matches %q", only)
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "crmstream-mutants-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l := &lab{root: root, dir: dir}
	if err := l.unmutated(ctx, chosen, parallel); err != nil {
		return err
	}
	verdicts := make(chan verdict)
	go func() {
		defer close(verdicts)
		var g errgroup.Group
		g.SetLimit(max(1, parallel))
		for i, m := range chosen {
			g.Go(func() error {
				verdicts <- l.try(ctx, i, m)
				return nil
			})
		}
		_ = g.Wait() // verdicts say it all
	}()
	bad := 0
	for v := range verdicts {
		fmt.Println(v)
		if v.outcome != killed || verbose {
			fmt.Printf("    %s\n%s", v.m.file, indent(v.said))
		}
		if v.outcome != killed {
			bad++
		}
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	fmt.Printf("%d mutants, %d killed, in %s\n", len(chosen), len(chosen)-bad, time.Since(began).Round(time.Second))
	if bad > 0 {
		return fmt.Errorf("%d of %d mutants were not killed", bad, len(chosen))
	}
	return nil
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("looking for the module: %w", err)
	}
	mod := string(bytes.TrimSpace(out))
	if filepath.Base(mod) != "go.mod" {
		return "", errors.New("run it inside the repository")
	}
	return filepath.Dir(mod), nil
}

// indent shows the last lines of what a test said.
func indent(said []byte) string {
	const most = 30
	lines := bytes.Split(bytes.TrimSpace(said), []byte("\n"))
	lines = lines[max(0, len(lines)-most):]
	var b bytes.Buffer
	for _, l := range lines {
		fmt.Fprintf(&b, "    | %s\n", l)
	}
	return b.String()
}
