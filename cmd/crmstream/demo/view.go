package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"golang.org/x/term"
)

// view shows the play: in place on a terminal, line by line on a pipe.
type view struct {
	s       *show
	drawn   int // lines of the last picture
	printed time.Time
}

func newView(s *show) *view { return &view{s: s} }

func (v *view) quiet() bool { return v.s.o.JSON }

func (v *view) head() {
	if v.quiet() {
		return
	}
	o, a := v.s.o, v.s.a
	sf, hs := 0, 0
	for _, t := range v.s.w.tenants {
		if t.provider == salesforce {
			sf++
		} else {
			hs++
		}
	}
	tenants := o.Tenants
	if o.Mixed {
		tenants = mixedCount
	}
	fmt.Fprintf(o.Out, "crmstream demo · %d tenants · data in %s (kept; --data to change)\n\n", tenants, o.Dir)
	fmt.Fprintf(o.Out, "  broker     %-28s any Kafka client\n  registry   http://%-21s Confluent API\n", a.Broker, a.Registry)
	fmt.Fprintf(o.Out, "  salesforce http://%-21s simulator, %s\n  hubspot    http://%-21s simulator, %s\n", a.Salesforce, plural(sf, "org"), a.HubSpot, plural(hs, "portal"))
	fmt.Fprintf(o.Out, "  api        http://%-21s /metrics, /api/status\n\n", a.API)
	if !o.Exit {
		self := self()
		fmt.Fprintf(o.Out, "  Try, in another terminal:\n\n")
		fmt.Fprintf(o.Out, "    # calls as they are logged: each first pending, then synced\n    kcat -b %s -C -t sync.calls -c 4 -f '%%k %%s\\n'\n", a.Broker)
		fmt.Fprintf(o.Out, "    # one in the CRM\n    curl -s '%s/_sim/records?org=%s&object=Task&limit=1'\n", "http://"+a.Salesforce, v.s.w.tenants[0].account)
		fmt.Fprintf(o.Out, "    # what is synced: edit a tenant's file, see what that would do, and apply it\n    %s tenants show %s -c %s > %[2]s.yaml\n    %[1]s tenants preview -c %[3]s -f %[2]s.yaml\n    %[1]s tenants apply -c %[3]s -f %[2]s.yaml\n",
			self, v.s.w.tenants[0].name, filepath.Join(o.Dir, clientFile))
		fmt.Fprintf(o.Out, "    # kill it, start it again as before, and count the calls in the CRMs\n    kill -9 %d\n    %s demo verify --data %s\n\n", os.Getpid(), self, o.Dir)
	}
}

// self is how a person starts this binary again: that of go run is gone by then.
func self() string {
	if exe, err := os.Executable(); err == nil && strings.Contains(exe, "go-build") {
		return "go run ./cmd/crmstream"
	}
	return os.Args[0]
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (v *view) draw(waiting string) {
	if v.quiet() {
		return
	}
	if !v.s.o.Terminal && time.Since(v.printed) < 2*time.Second {
		return
	}
	v.printed = time.Now()
	lines := v.picture(waiting)
	if !v.s.o.Terminal {
		fmt.Fprintln(v.s.o.Out, strings.Join(lines, " | "))
		return
	}
	if v.drawn > 0 {
		fmt.Fprintf(v.s.o.Out, "\x1b[%dA", v.drawn)
	}
	// A line that the terminal breaks would be two: the picture would not cover itself.
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	for _, l := range lines {
		fmt.Fprintf(v.s.o.Out, "\x1b[2K%s\n", clip("  "+l, width-1))
	}
	v.drawn = len(lines)
}

// clip cuts a line to so many runes.
func clip(l string, most int) string {
	if r := []rune(l); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return l
}

func (v *view) picture(waiting string) []string {
	s := v.s
	requests, kinds := v.requests()
	s.mu.Lock()
	defer s.mu.Unlock()
	held := 0
	for _, h := range s.held {
		if h {
			held++
		}
	}
	lines := []string{
		fmt.Sprintf("calls      %5d in   %5d logged   %4d on their way   p50 %.0f ms  p99 %.0f ms", len(s.sent), len(s.logged), len(s.sent)-len(s.logged), percentile(s.logged, 0.5), percentile(s.logged, 0.99)),
		fmt.Sprintf("edits      %5d made %5d on sync.contacts             p50 %.0f ms  p99 %.0f ms", len(s.edits), len(s.seen), percentile(s.seen, 0.5), percentile(s.seen, 0.99)),
		fmt.Sprintf("requests   %5d (%s)", requests, kinds),
		fmt.Sprintf("held       %5d calls   dead letters %d", held, s.dead),
	}
	if waiting != "" {
		lines = append(lines, "waiting for "+waiting)
	} else if s.o.Terminal {
		lines = append(lines, "Ctrl-C ends it; the data stays")
	}
	return lines
}

// requests asks the simulators, at most for a moment.
func (v *view) requests() (int, string) {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	sum, kinds := 0, map[string]int{}
	for _, t := range v.s.w.tenants {
		counts, err := v.s.sim.requests(ctx, t)
		if err != nil {
			continue
		}
		for k, n := range counts {
			sum += n
			kinds[k] += n
		}
	}
	var parts []string
	for k, n := range kinds {
		parts = append(parts, fmt.Sprintf("%s %d", k, n))
	}
	sort.Strings(parts)
	return sum, strings.Join(parts, ", ")
}
