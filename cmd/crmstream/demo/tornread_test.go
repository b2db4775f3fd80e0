package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
)

// reader reads what others read: of compacted topics the newest by key, of the others
// all, without what its source header says was read before.
type reader struct {
	r    *tornRun
	cl   *kgo.Client
	last map[string]map[string]any
	all  map[string][]keyed
	seen map[string]bool
	// known is how many requests were asked for before the process was started: of a torn
	// commit's, some will never be made.
	known int
	quiet bool // there was nothing to read
}

type keyed struct {
	key   string
	value any
}

func newReader(r *tornRun) *reader {
	x := &reader{r: r, last: map[string]map[string]any{}, all: map[string][]keyed{}, seen: map[string]bool{}}
	for _, t := range []string{schemas.TopicSyncContacts, schemas.TopicSyncCalls, schemas.TopicSyncRecords} {
		x.last[t] = map[string]any{}
	}
	for _, t := range []string{schemas.TopicSyncChanges, schemas.TopicCRMCommands, schemas.TopicDeadLetters, schemas.TopicCRMResults} {
		x.all[t] = nil
	}
	topics := []string{schemas.TopicSyncContacts, schemas.TopicSyncCalls, schemas.TopicSyncRecords, schemas.TopicSyncChanges, schemas.TopicCRMCommands, schemas.TopicDeadLetters, schemas.TopicCRMResults}
	var err error
	if x.cl, err = kgo.NewClient(kgo.SeedBrokers(r.c.ListenAddrs()...), kgo.ConsumeTopics(topics...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(20*time.Millisecond)); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(x.cl.Close)
	return x
}

// answered reports whether every request that was asked for has its answer.
func (x *reader) answered() bool {
	open := make(map[string]bool)
	for _, k := range x.all[schemas.TopicCRMCommands][x.known:] {
		open[k.value.(*schemas.Attempt).ID] = true
	}
	for _, k := range x.all[schemas.TopicCRMResults] {
		delete(open, k.value.(*schemas.AttemptResult).AttemptID)
	}
	return x.quiet && len(open) == 0
}

func (x *reader) poll(d time.Duration) {
	ctx, cancel := context.WithTimeout(x.r.ctx, d)
	defer cancel()
	recs := x.cl.PollFetches(ctx).Records()
	x.quiet = len(recs) == 0
	for _, rec := range recs {
		var v any
		if rec.Value != nil {
			var err error
			if v, err = x.r.codec.Decode(x.r.ctx, rec.Topic, rec.Value); err != nil {
				x.r.t.Fatal(err)
			}
		}
		if last, compacted := x.last[rec.Topic]; compacted {
			if last[string(rec.Key)] = v; v == nil {
				delete(last, string(rec.Key))
			}
			continue
		}
		source := slices.IndexFunc(rec.Headers, func(h kgo.RecordHeader) bool { return h.Key == "crmstream.source" })
		if rec.Topic == schemas.TopicCRMResults {
			x.all[rec.Topic] = append(x.all[rec.Topic], keyed{string(rec.Key), v})
			continue
		}
		if source < 0 {
			x.r.t.Errorf("%s %s has no source", rec.Topic, rec.Key)
			continue
		}
		if id := rec.Topic + string(rec.Headers[source].Value); x.seen[id] {
			continue
		} else {
			x.seen[id] = true
		}
		x.all[rec.Topic] = append(x.all[rec.Topic], keyed{string(rec.Key), v})
	}
}

// nameOf gives a tenant's ids that a CRM or the pipeline chose a name that is the same in each run.
type nameOf map[string]string

func (r *tornRun) names() nameOf {
	n := make(nameOf)
	for _, t := range r.w.tenants {
		for i, p := range t.people {
			n[t.name+"/"+p.id] = fmt.Sprint("person ", i)
		}
		object, field := t.callObject()
		rows, err := r.sim.records(r.ctx, t, object)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, row := range rows {
			n[t.name+"/"+row["id"]] = "record of " + row[field]
		}
	}
	for key, v := range r.read.last[schemas.TopicSyncContacts] {
		sc := v.(*schemas.SyncContact)
		n[key] = "ours of " + n[sc.Tenant+"/"+sc.Links[0].ID]
	}
	return n
}

// moments are members that hold an instant or a place; they differ from run to run.
var moments = []string{"At", "EventTime", "SourceRef", "LastSyncedAt", "LastCRMModifiedAt", "LastLocalModifiedAt", "CreatedAt", "UpdatedAt", "StartedAt", "URL", "Offset", "RetryCount", "Snapshot"}

func (n nameOf) text(key string, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return err.Error()
	}
	if fields, ok := m["Fields"].([]any); ok { // owners: see finish
		m["Fields"] = slices.DeleteFunc(fields, func(f any) bool { return f.(map[string]any)["Name"] == "owner_email" })
	}
	tenant, _, _ := strings.Cut(key, "/")
	if b, err = json.Marshal(n.walk(tenant, m)); err != nil {
		return err.Error()
	}
	return n.name(tenant, key) + " " + string(b)
}

func (n nameOf) walk(tenant string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if slices.Contains(moments, k) {
				delete(v, k)
				continue
			}
			v[k] = n.walk(tenant, x)
		}
	case []any:
		for i := range v {
			v[i] = n.walk(tenant, v[i])
		}
	case string:
		return n.name(tenant, v)
	}
	return v
}

// name replaces ids that are the whole of a text, or a part of a key.
func (n nameOf) name(tenant, s string) string {
	parts := strings.Split(s, "/")
	for i, p := range parts {
		if to, ok := n[tenant+"/"+p]; ok {
			parts[i] = to
		}
	}
	return strings.Join(parts, "/")
}
