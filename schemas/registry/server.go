package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// SchemasTopic is where Server keeps its schemas: one partition, compacted.
const SchemasTopic = "_schemas"

// ServerConfig says where a Server keeps its schemas.
type ServerConfig struct {
	Brokers []string
	// Opts are further options of its Kafka client.
	Opts   []kgo.Opt
	Logger *slog.Logger
}

// Server is a schema registry that speaks the Confluent API. Its memory is the
// topic SchemasTopic: a schema is answered once Kafka has acknowledged it.
type Server struct {
	cl  *kgo.Client
	log *slog.Logger

	mu       sync.Mutex
	subjects map[string]*subject
	ids      map[string]int // by canonical text
	texts    map[int]string // as first registered
	config   string         // global compatibility level
	next     int
}

type subject struct {
	versions []*version // by number
	config   string     // "" = the global one
}

type version struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int    `json:"id"`
	Schema  string `json:"schema"`
	Deleted bool   `json:"deleted"`
}

type recordKey struct {
	Type    string `json:"keytype"` // "SCHEMA" or "CONFIG"
	Subject string `json:"subject,omitempty"`
	Version int    `json:"version,omitempty"`
	Magic   int    `json:"magic"`
}

type configValue struct {
	Level string `json:"compatibilityLevel"`
}

// NewServer returns a registry that has loaded what its topic holds.
func NewServer(ctx context.Context, cfg ServerConfig) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	opts := append([]kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...), kgo.ClientID("crmstream-registry"), kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordDeliveryTimeout(10 * time.Second),
		kgo.KeepControlRecords(), // load reads to the end, which may be a marker
	}, cfg.Opts...)
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("opening the registry: %w", err)
	}
	s := &Server{cl: cl, log: cfg.Logger, subjects: make(map[string]*subject), ids: make(map[string]int), texts: make(map[int]string), config: "BACKWARD", next: 1}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := s.load(ctx); err != nil {
		cl.Close()
		return nil, fmt.Errorf("loading the registry: %w", err)
	}
	return s, nil
}

// Close ends the registry's client.
func (s *Server) Close() { s.cl.Close() }

func (s *Server) load(ctx context.Context) error {
	adm := kadm.NewClient(s.cl)
	compact := "compact"
	r, err := adm.CreateTopic(ctx, 1, 1, map[string]*string{"cleanup.policy": &compact}, SchemasTopic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) && !errors.Is(r.Err, kerr.TopicAlreadyExists) {
		return err
	}
	ends, err := adm.ListEndOffsets(ctx, SchemasTopic)
	if err != nil {
		return err
	}
	end, ok := ends.Lookup(SchemasTopic, 0)
	if !ok || end.Err != nil {
		return fmt.Errorf("no end offset of %s: %w", SchemasTopic, end.Err)
	}
	s.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{SchemasTopic: {0: kgo.NewOffset().AtStart()}})
	defer s.cl.PurgeTopicsFromConsuming(SchemasTopic)
	for at := int64(0); at < end.Offset; {
		fs := s.cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			return err
		}
		fs.EachRecord(func(r *kgo.Record) {
			at = r.Offset + 1
			if !r.Attrs.IsControl() {
				s.apply(r.Key, r.Value)
			}
		})
	}
	return nil
}

// apply takes one record of the topic into memory.
func (s *Server) apply(key, value []byte) {
	var k recordKey
	if json.Unmarshal(key, &k) != nil {
		s.log.Warn("registry: a record that is none of ours", "topic", SchemasTopic)
		return
	}
	switch k.Type {
	case "SCHEMA":
		sub := s.subject(k.Subject)
		if value == nil {
			sub.remove(k.Version)
			return
		}
		var v version
		if json.Unmarshal(value, &v) != nil {
			return
		}
		sub.put(&v)
		s.texts[v.ID] = v.Schema
		if c, err := canonical(v.Schema); err == nil {
			if _, ok := s.ids[c]; !ok {
				s.ids[c] = v.ID
			}
		}
		s.next = max(s.next, v.ID+1)
	case "CONFIG":
		var c configValue
		if value != nil && json.Unmarshal(value, &c) != nil {
			return
		}
		if k.Subject == "" {
			s.config = c.Level
			return
		}
		s.subject(k.Subject).config = c.Level
	}
}

func (s *Server) subject(name string) *subject {
	sub := s.subjects[name]
	if sub == nil {
		sub = new(subject)
		s.subjects[name] = sub
	}
	return sub
}

func (sub *subject) put(v *version) {
	for i, old := range sub.versions {
		if old.Version == v.Version {
			sub.versions[i] = v
			return
		}
	}
	sub.versions = append(sub.versions, v)
	sort.Slice(sub.versions, func(i, j int) bool { return sub.versions[i].Version < sub.versions[j].Version })
}

func (sub *subject) remove(n int) {
	for i, v := range sub.versions {
		if v.Version == n {
			sub.versions = append(sub.versions[:i], sub.versions[i+1:]...)
			return
		}
	}
}

// live returns the versions that are not deleted, or all.
func (sub *subject) live(deletedToo bool) []*version {
	var vs []*version
	for _, v := range sub.versions {
		if deletedToo || !v.Deleted {
			vs = append(vs, v)
		}
	}
	return vs
}

func (s *Server) persist(ctx context.Context, k recordKey, v any) error {
	key, err := json.Marshal(k)
	if err != nil {
		return err
	}
	rec := &kgo.Record{Topic: SchemasTopic, Partition: 0, Key: key}
	if v != nil {
		if rec.Value, err = json.Marshal(v); err != nil {
			return err
		}
	}
	if err := s.cl.ProduceSync(ctx, rec).FirstErr(); err != nil {
		return fmt.Errorf("writing to %s: %w", SchemasTopic, err)
	}
	s.apply(rec.Key, rec.Value)
	return nil
}

// canonical is the text that two spellings of one schema share. Documentation and
// defaults count: two schemas that differ in them are two.
func canonical(text string) (string, error) {
	if _, err := avro.Parse(text); err != nil {
		return "", err
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return "", err
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// problem is an error of the API.
type problem struct {
	status, code int
	message      string
}

func (p *problem) Error() string { return p.message }

var (
	noSubject = &problem{404, 40401, "Subject not found."}
	noVersion = &problem{404, 40402, "Version not found."}
	noSchema  = &problem{404, 40403, "Schema not found"}
)

// register adds a schema to a subject and returns its id: the present one if the
// subject has it already.
func (s *Server) register(ctx context.Context, name, text string) (int, error) {
	c, err := canonical(text)
	if err != nil {
		return 0, &problem{422, 42201, "Invalid schema: " + err.Error()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var vs []*version
	if sub := s.subjects[name]; sub != nil {
		vs = sub.versions
	}
	n := 1
	for _, v := range vs {
		if vc, err := canonical(v.Schema); err == nil && vc == c && !v.Deleted {
			return v.ID, nil
		}
		n = max(n, v.Version+1)
	}
	if why := s.incompatible(name, text); why != "" {
		return 0, &problem{409, 409, "Schema being registered is incompatible with an earlier schema: " + why}
	}
	id, ok := s.ids[c]
	if !ok {
		id = s.next
	}
	return id, s.persist(ctx, recordKey{"SCHEMA", name, n, 1}, &version{name, n, id, text, false})
}

// incompatible says why text may not follow what the subject has, "" if it may.
func (s *Server) incompatible(name, text string) string {
	level := s.config
	sub := s.subjects[name]
	if sub == nil {
		return ""
	}
	if sub.config != "" {
		level = sub.config
	}
	vs := sub.live(false)
	if level == "NONE" || len(vs) == 0 {
		return ""
	}
	if !transitive(level) {
		vs = vs[len(vs)-1:]
	}
	next, err := avro.Parse(text)
	if err != nil {
		return err.Error()
	}
	for _, v := range vs {
		old, err := avro.Parse(v.Schema)
		if err != nil {
			continue
		}
		if backward(level) {
			if _, err := avro.Resolve(old, next); err != nil {
				return err.Error()
			}
		}
		if forward(level) {
			if _, err := avro.Resolve(next, old); err != nil {
				return err.Error()
			}
		}
	}
	return ""
}

var levels = map[string][3]bool{ // backward, forward, transitive
	"NONE": {}, "BACKWARD": {true}, "FORWARD": {false, true}, "FULL": {true, true},
	"BACKWARD_TRANSITIVE": {true, false, true}, "FORWARD_TRANSITIVE": {false, true, true}, "FULL_TRANSITIVE": {true, true, true},
}

func backward(level string) bool   { return levels[level][0] }
func forward(level string) bool    { return levels[level][1] }
func transitive(level string) bool { return levels[level][2] }
