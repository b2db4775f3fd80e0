// Command clients lets clients of other makers work with a broker and a registry, and
// says which of them can do what: `make clients-kafka`.
//
// In: nothing, and it builds and starts `crmstream broker`; or the addresses of any
// broker and registry that are empty enough to write to, by -brokers and -registry.
// Out: a line per step, a table client by step, and status 1 if a step failed that
// expect.go, and with it docs/clients.md, says works. Status 2: it was called wrongly;
// 3: no client could be tried, for want of tools.
//
// Each client is a program of its own in programs/, written as its users would write
// it: it gets a configuration in JSON and prints "ok STEP: …" or "failed STEP: …".
// What its libraries are is fetched by its own package manager into the user's cache
// folder; kcat is what the machine has.
//
// It must never let a client pass by its own word alone where the broker can be asked:
// the calls that a client produced are read back by the project's own codec.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() { os.Exit(status()) }

// clientTime is how long one client may take for all its steps.
const clientTime = 4 * time.Minute

func status() int {
	brokers := flag.String("brokers", "", "HOST:PORT of a running broker; empty = build and start crmstream broker")
	registry := flag.String("registry", "", "base URL of its registry")
	only := flag.String("clients", "", "names of the clients to try, separated by commas; empty = all")
	table := flag.Bool("table", false, "print the table of docs/clients.md and end")
	flag.Parse()
	if *table {
		fmt.Print(expectedTable())
		return 0
	}
	chosen, err := choose(*only)
	switch {
	case err != nil:
	case flag.NArg() > 0:
		err = fmt.Errorf("%q is not understood: all is said by flags", flag.Arg(0))
	case (*brokers == "") != (*registry == ""):
		err = errors.New("-brokers and -registry go together: give both or none")
	default:
		err = checkAddresses(*brokers, *registry)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	reports, err := try(ctx, chosen, target{brokers: *brokers, registry: *registry})
	if err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		return 1
	}
	return verdict(reports, *brokers == "")
}

func checkAddresses(brokers, registry string) error {
	if brokers == "" {
		return nil
	}
	for b := range strings.SplitSeq(brokers, ",") {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return fmt.Errorf("-brokers: %q is not HOST:PORT", b)
		}
	}
	if u, err := url.Parse(registry); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("-registry: %q is not http://HOST:PORT", registry)
	}
	return nil
}

func choose(names string) ([]client, error) {
	if names == "" {
		return clients, nil
	}
	var chosen []client
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(clients, func(c client) bool { return c.name == name })
		if i < 0 {
			var all []string
			for _, c := range clients {
				all = append(all, c.name)
			}
			return nil, fmt.Errorf("no client %q: there are %s", name, strings.Join(all, ", "))
		}
		chosen = append(chosen, clients[i])
	}
	return chosen, nil
}

// try lets each client do its steps, one client after the other.
func try(ctx context.Context, chosen []client, at target) ([]report, error) {
	if at.brokers == "" {
		b, err := startBroker(ctx)
		if err != nil {
			return nil, err
		}
		defer b.stop()
		at = b.target
	}
	fmt.Printf("broker %s, registry %s\n", at.brokers, at.registry)
	l, err := openLane(ctx, at)
	if err != nil {
		return nil, err
	}
	defer l.close()
	var reports []report
	for _, c := range chosen {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		reports = append(reports, tryOne(ctx, c, l))
	}
	return reports, nil
}

func tryOne(ctx context.Context, c client, l *lane) report {
	fmt.Printf("\n%s\n", c.name)
	r := report{client: c.name}
	ready, err := c.prepare(ctx)
	if err != nil {
		r.skipped = oneLine(err.Error())
		fmt.Printf("  skipped: %s\n", r.skipped)
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, clientTime)
	defer cancel()
	cfg := l.config(c.name)
	say := func(line string) {
		fmt.Printf("  %s\n", line)
		if s, ok := parse(line); ok {
			r.results = append(r.results, s)
		}
	}
	began := time.Now()
	if err := ready(ctx, l, cfg, say); err != nil {
		r.ended = oneLine(err.Error())
		fmt.Printf("  it ended: %s\n", r.ended)
	}
	for _, line := range l.verify(ctx, cfg, r.results) {
		say(line)
	}
	fmt.Printf("  %d steps in %v\n", len(r.results), time.Since(began).Round(100*time.Millisecond))
	return r
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
