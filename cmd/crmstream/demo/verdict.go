package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Verdict is what was counted in the simulators.
type Verdict struct {
	Calls       int            `json:"calls"`
	Lost        int            `json:"lost"`
	Duplicated  int            `json:"duplicated"`
	Edits       int            `json:"edits"`
	EditsSeen   int            `json:"edits_seen"`
	Latency     Percentiles    `json:"latency_ms"`
	EditLatency Percentiles    `json:"edit_latency_ms"`
	Requests    map[string]int `json:"crm_requests"`
	DeadLetters int            `json:"dead_letters"`
	Checks      []Check        `json:"checks,omitempty"`
	Note        string         `json:"note,omitempty"`
}

// Percentiles are of times in milliseconds.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Good reports whether nothing is lost, doubled or unseen.
func (v *Verdict) Good() bool {
	return v.Lost == 0 && v.Duplicated == 0 && v.EditsSeen == v.Edits && !slices.ContainsFunc(v.Checks, func(c Check) bool { return c.Got != c.Want })
}

// Check is something else that was counted in the CRMs.
type Check struct {
	Of   string `json:"of"` // what, for people
	Want int    `json:"want"`
	Got  int    `json:"got"`
}

// verdict counts in the simulators.
func (s *show) verdict(ctx context.Context) (*Verdict, error) {
	s.mu.Lock()
	wanted := make(map[string]int64, len(s.sent))
	for k := range s.sent {
		wanted[k] = 1
	}
	v := &Verdict{Edits: len(s.edits), EditsSeen: len(s.seen), DeadLetters: s.dead, Requests: map[string]int{},
		Latency:     Percentiles{percentile(s.logged, 0.5), percentile(s.logged, 0.99)},
		EditLatency: Percentiles{percentile(s.seen, 0.5), percentile(s.seen, 0.99)}}
	s.mu.Unlock()
	for _, t := range s.w.tenants {
		counts, err := s.sim.requests(ctx, t)
		if err != nil {
			return nil, err
		}
		for k, n := range counts {
			v.Requests[t.provider+"/"+k] += n
		}
	}
	return v, count(ctx, s.sim, s.w, wanted, v)
}

// count compares the calls that were acknowledged, by their newest revision, with what
// the CRMs hold.
func count(ctx context.Context, sim simClient, w *world, wanted map[string]int64, v *Verdict) error {
	v.Calls = len(wanted)
	have := make(map[*tenant]map[string]int)
	for _, t := range w.tenants {
		have[t] = make(map[string]int)
		object, idField := t.callObject()
		rows, err := sim.records(ctx, t, object)
		if err != nil {
			return fmt.Errorf("counting in the CRM of %s: %w", t.name, err)
		}
		for _, r := range rows {
			id := r[idField]
			if id == "" {
				id = r["hs_call_external_id"]
			}
			have[t][id]++
		}
	}
	for k := range wanted {
		name, id, _ := strings.Cut(k, "/")
		for _, t := range w.accounts(name) { // each CRM that has the person has the call (B10)
			switch n := have[t][id]; {
			case n == 0:
				v.Lost++
			case n > 1:
				v.Duplicated += n - 1
			}
		}
	}
	return nil
}

// Verify counts, in the simulators of a demo's folder, every call that Kafka ever
// acknowledged there. The simulators are asked if they run, else opened.
func Verify(ctx context.Context, dir string) (*Verdict, error) {
	b, err := os.ReadFile(filepath.Join(dir, "demo.json"))
	if err != nil {
		return nil, fmt.Errorf("no demo in %s: %w", dir, err)
	}
	var a addresses
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, fmt.Errorf("reading demo.json: %w", err)
	}
	w, err := newWorld(dir, a.Tenants, a.Mixed)
	if err != nil {
		return nil, err
	}
	sim := simClient{&http.Client{Timeout: 30 * time.Second}}
	if err := sim.call(ctx, http.MethodGet, "http://"+a.Salesforce+"/_sim/orgs", nil, nil); err != nil {
		sims, err := startSimulators(filepath.Join(dir, "simulators"), "127.0.0.1:0", "127.0.0.1:0", w)
		if err != nil {
			return nil, err
		}
		defer sims.Close() //nolint:errcheck // they are only asked
		a.Salesforce, a.HubSpot = strings.TrimPrefix(sims.sfURL, "http://"), strings.TrimPrefix(sims.hsURL, "http://")
	}
	for _, t := range w.tenants {
		t.url = "http://" + a.Salesforce
		if t.provider == hubspot {
			t.url = "http://" + a.HubSpot
		}
	}
	f, err := os.Open(filepath.Join(dir, "calls.log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	wanted := make(map[string]int64)
	if err == nil {
		defer f.Close()
		sc := bufio.NewScanner(f)
		for sc.Scan() {
			wanted[sc.Text()] = 1
		}
		if err := sc.Err(); err != nil {
			return nil, err
		}
	}
	v := &Verdict{Requests: map[string]int{}}
	return v, count(ctx, sim, w, wanted, v)
}
