package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
)

// ClientIDPrefix begins the Kafka client id of a pipeline process; the address of its
// HTTP API follows. So the group's description says where each member is asked.
const ClientIDPrefix = "crmstream@"

// askWithin bounds the question to one member.
const askWithin = 3 * time.Second

// States of a partition.
const (
	Running   = "running"   // its owner has restored it
	Restoring = "restoring" // its owner reads the changelog
	Refused   = "refused"   // its owner left it out: see why
	Silent    = "silent"    // its owner does not answer
	Unowned   = "unowned"   // nobody has it
)

// Report is the state of one installation.
type Report struct {
	Group      string      `json:"group"`
	GroupState string      `json:"group_state"` // Kafka's word: "Stable", "PreparingRebalance", "Empty"
	Members    []Member    `json:"members"`
	Partitions []Partition `json:"partitions"`
	Tenants    []Tenant    `json:"tenants"` // with a CRM account, worst first
}

// Member is one process in the group.
type Member struct {
	Instance   string  `json:"instance"`
	Address    string  `json:"address"` // of its API; "" = it does not say
	Partitions []int32 `json:"partitions"`
	Problem    string  `json:"problem,omitempty"` // why it does not answer

	status run.Status
}

// Partition is one partition of all topics.
type Partition struct {
	Partition int32  `json:"partition"`
	State     string `json:"state"`
	Owner     string `json:"owner"`    // instance
	Lag       int64  `json:"lag"`      // input records that are not applied yet
	Sequence  int64  `json:"sequence"` // of its last transaction
	// Restored is how much of the changelog's rest was read, in percent, while it is
	// restored.
	Restored int    `json:"restored,omitempty"`
	Why      string `json:"why,omitempty"`
}

// Tenant is one CRM account of a tenant, as its owner last said.
type Tenant struct {
	Tenant   string  `json:"tenant"`
	Provider string  `json:"provider"`
	State    string  `json:"state"`
	Pending  int64   `json:"pending"`
	Errors   float64 `json:"errors"` // percent of the last 24 hours
	Cause    string  `json:"cause,omitempty"`
	At       int64   `json:"at"` // ms since 1970 UTC
	// Rereading are sources that are read from their beginning once more.
	Rereading []string `json:"rereading,omitempty"`
}

// Gather returns the report. cl must read from the start, read_committed, with control
// records; opts of it are ClientOpts.
func Gather(ctx context.Context, cl *kgo.Client, codec *registry.Codec, group string) (*Report, error) {
	adm := kadm.NewClient(cl)
	described, err := adm.DescribeGroups(ctx, group)
	if err == nil {
		err = described[group].Err
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the group %s (is the broker running? -c or --brokers says where): %w", group, err)
	}
	g := described[group]
	r := &Report{Group: group, GroupState: g.State}
	for _, m := range g.Members {
		r.Members = append(r.Members, member(m))
	}
	slices.SortFunc(r.Members, func(a, b Member) int { return strings.Compare(a.Instance, b.Instance) })
	ask(ctx, r.Members)
	if err := r.partitions(ctx, adm, cl); err != nil {
		return nil, err
	}
	return r, r.tenants(ctx, adm, cl, codec)
}

// Owner returns the member of a group that has a partition.
func Owner(ctx context.Context, adm *kadm.Client, group string, partition int32) (Member, error) {
	described, err := adm.DescribeGroups(ctx, group)
	if err == nil {
		err = described[group].Err
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // nobody has ever joined it
		return Member{}, fmt.Errorf("asking for the group %s: %w", group, err)
	}
	for _, d := range described[group].Members {
		if m := member(d); slices.Contains(m.Partitions, partition) {
			if m.Address == "" {
				return m, fmt.Errorf("the owner of partition %d, %s, says no address", partition, m.Instance)
			}
			return m, nil
		}
	}
	return Member{}, fmt.Errorf("partition %d has no owner at present: is crmstream run running? (crmstream status)", partition)
}

// ClientOpts are the options that the client of Gather needs.
func ClientOpts() []kgo.Opt {
	return []kgo.Opt{kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords()}
}

func member(m kadm.DescribedGroupMember) Member {
	out := Member{Instance: m.MemberID, Partitions: []int32{}}
	if m.InstanceID != nil {
		out.Instance = *m.InstanceID
	}
	out.Address, _ = strings.CutPrefix(m.ClientID, ClientIDPrefix)
	if out.Address == m.ClientID {
		out.Address, out.Problem = "", "its client id "+m.ClientID+" has no address: it is of another release"
	}
	if a, ok := m.Assigned.AsConsumer(); ok {
		for _, t := range a.Topics {
			if t.Topic == schemas.TopicControlTenants {
				out.Partitions = slices.Sorted(slices.Values(t.Partitions))
			}
		}
	}
	return out
}

// ask asks all members side by side.
func ask(ctx context.Context, members []Member) {
	client := &http.Client{Timeout: askWithin}
	var wg sync.WaitGroup
	for i := range members {
		m := &members[i]
		if m.Address == "" {
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := get(ctx, client, "http://"+m.Address+"/api/status", &m.status); err != nil {
				m.Problem = err.Error()
			}
		}()
	}
	wg.Wait()
}

func get(ctx context.Context, client *http.Client, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, 16<<20)).Decode(into)
}

// partitions says of each partition who has it and how it stands.
func (r *Report) partitions(ctx context.Context, adm *kadm.Client, cl *kgo.Client) error {
	var topics []string
	for _, t := range schemas.Inputs() {
		topics = append(topics, t.Name)
	}
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("asking for the topics' ends: %w", err)
	}
	committed, err := adm.FetchOffsets(ctx, r.Group)
	if err != nil {
		return fmt.Errorf("asking for the group's offsets: %w", err)
	}
	n := int32(len(ends[schemas.TopicControlTenants]))
	tails := make(map[string]map[int32]kgo.Offset)
	for p := range n {
		out := Partition{Partition: p, State: Unowned}
		next := make(map[string]int64)
		for i := range r.Members {
			if m := &r.Members[i]; slices.Contains(m.Partitions, p) {
				out.of(m, next)
			}
		}
		for _, t := range topics {
			end, _ := ends.Lookup(t, p)
			at, known := next[t]
			if !known {
				if c, ok := committed.Lookup(t, p); ok {
					at = max(c.At, 0)
				}
			}
			gap := max(0, end.Offset-at)
			out.Lag += gap
			if gap > 0 && gap <= tailMost {
				if tails[t] == nil {
					tails[t] = make(map[int32]kgo.Offset)
				}
				tails[t][p] = kgo.NewOffset().At(at)
			}
		}
		r.Partitions = append(r.Partitions, out)
	}
	for p, markers := range countMarkers(ctx, cl, tails, ends) {
		r.Partitions[p].Lag -= markers
	}
	return nil
}

// tailMost is the longest rest of a partition that is read to see what it is made of.
const tailMost = 16

// countMarkers counts, by partition, the transactions' markers in what follows the
// positions: nobody applies them, and without them an idle partition has no lag. What
// does not come within a moment counts as records.
func countMarkers(ctx context.Context, cl *kgo.Client, from map[string]map[int32]kgo.Offset, ends kadm.ListedOffsets) map[int32]int64 {
	markers := make(map[int32]int64)
	left := 0
	for _, ps := range from {
		left += len(ps)
	}
	if left == 0 {
		return markers
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	cl.AddConsumePartitions(from)
	defer func() {
		for t := range from {
			cl.PurgeTopicsFromConsuming(t)
		}
	}()
	for left > 0 {
		fs := cl.PollFetches(ctx)
		if fs.Err() != nil {
			break
		}
		for it := fs.RecordIter(); !it.Done(); {
			rec := it.Next()
			end, ok := ends.Lookup(rec.Topic, rec.Partition)
			if !ok || rec.Offset >= end.Offset {
				continue
			}
			if rec.Attrs.IsControl() {
				markers[rec.Partition]++
			}
			if rec.Offset+1 == end.Offset {
				left--
			}
		}
	}
	return markers
}

// of fills in what a partition's owner says, and its positions.
func (out *Partition) of(m *Member, next map[string]int64) {
	out.Owner, out.State = m.Instance, Restoring
	if m.Problem != "" {
		out.State = Silent
		return
	}
	for _, p := range m.status.Partitions {
		if p.Partition == out.Partition {
			out.State, out.Sequence = Running, p.Sequence
			for t, at := range p.Next {
				next[t] = at
			}
		}
	}
	for _, p := range m.status.Refused {
		if p.Partition == out.Partition {
			out.State, out.Why = Refused, p.Why
		}
	}
	for _, p := range m.status.Restoring {
		if p.Partition == out.Partition && p.End > p.Start {
			out.Restored = int(100 * (p.Next - p.Start) / (p.End - p.Start))
		}
	}
}

// tenants reads the newest health of each account, the worst first.
func (r *Report) tenants(ctx context.Context, adm *kadm.Client, cl *kgo.Client, codec *registry.Codec) error {
	newest := make(map[string]Tenant)
	err := readAll(ctx, adm, cl, schemas.TopicSyncHealth, func(rec *kgo.Record) error {
		if rec.Value == nil {
			delete(newest, string(rec.Key))
			return nil
		}
		v, err := codec.Decode(ctx, rec.Topic, rec.Value)
		if err != nil {
			return err
		}
		if h, ok := v.(*schemas.SyncHealth); ok {
			newest[string(rec.Key)] = Tenant{h.Tenant, h.Provider, h.State, h.PendingRecords, h.ErrorRateLast24h, h.Cause, h.At, h.Rereading}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.Tenants = []Tenant{}
	for _, t := range newest {
		r.Tenants = append(r.Tenants, t)
	}
	slices.SortFunc(r.Tenants, worse)
	return nil
}

// worse orders by state, then by what waits, then by errors.
func worse(a, b Tenant) int {
	rank := func(t Tenant) int {
		switch t.State {
		case "well":
			return 1
		default:
			return 0
		}
	}
	switch {
	case rank(a) != rank(b):
		return rank(a) - rank(b)
	case a.Pending != b.Pending:
		return int(b.Pending - a.Pending)
	case a.Errors != b.Errors:
		if a.Errors > b.Errors {
			return -1
		}
		return 1
	}
	return strings.Compare(a.Tenant+"/"+a.Provider, b.Tenant+"/"+b.Provider)
}

// readAll reads a topic from its start to where it ends now.
func readAll(ctx context.Context, adm *kadm.Client, cl *kgo.Client, topic string, each func(*kgo.Record) error) error {
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("reading %s: %w", topic, err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, topic) // an open transaction is not waited for
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", topic, err)
	}
	want, from := make(map[int32]int64), make(map[int32]kgo.Offset)
	ends.Each(func(o kadm.ListedOffset) {
		if s, ok := starts.Lookup(topic, o.Partition); ok && o.Offset > s.Offset {
			want[o.Partition], from[o.Partition] = o.Offset, kgo.NewOffset().At(s.Offset)
		}
	})
	if len(want) == 0 {
		return nil
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	defer cl.PurgeTopicsFromConsuming(topic)
	for len(want) > 0 {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			return fmt.Errorf("reading %s: %w", topic, err)
		}
		for it := fs.RecordIter(); !it.Done(); {
			rec := it.Next()
			if rec.Offset+1 >= want[rec.Partition] {
				delete(want, rec.Partition)
			}
			if !rec.Attrs.IsControl() {
				if err := each(rec); err != nil {
					return fmt.Errorf("reading %s-%d@%d: %w", topic, rec.Partition, rec.Offset, err)
				}
			}
		}
	}
	return nil
}
