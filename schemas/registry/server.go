package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/twmb/avro"
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
	mode     string         // global mode
	next     int            // above every id that was ever given out
}

type subject struct {
	versions []*version // by number
	config   string     // "" = the global one
	mode     string     // "" = the global one
}

type version struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int    `json:"id"`
	Schema  string `json:"schema"`
	Deleted bool   `json:"deleted"`
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
	s := &Server{cl: cl, log: cfg.Logger, subjects: make(map[string]*subject), ids: make(map[string]int), texts: make(map[int]string), config: defaultLevel, mode: readWrite, next: 1}
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

func (sub *subject) find(n int) *version {
	for _, v := range sub.versions {
		if v.Version == n {
			return v
		}
	}
	return nil
}

func (sub *subject) remove(gone *version) {
	sub.versions = slices.DeleteFunc(sub.versions, func(v *version) bool { return v == gone })
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
// subject has it already. An id of 0 is any; another one is let through only where it
// is the schema's already, since ids are not ours to choose then.
func (s *Server) register(ctx context.Context, name, text string, wanted int) (int, error) {
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
		if vc, err := canonical(v.Schema); err == nil && vc == c && !v.Deleted && (wanted == 0 || wanted == v.ID) {
			return v.ID, nil
		}
		n = max(n, v.Version+1)
	}
	if err := s.writable(name); err != nil {
		return 0, err
	}
	if wanted != 0 {
		return 0, &problem{422, 42205, "Subject " + name + " is not in import mode: ids can't be chosen"}
	}
	if why := s.incompatible(name, text); why != "" {
		return 0, &problem{409, 409, "Schema being registered is incompatible with an earlier schema: " + why}
	}
	id, ok := s.ids[c]
	if !ok {
		id = s.next
	}
	return id, s.persist(ctx, recordKey{ofSchema, name, n, 1}, &version{name, n, id, text, false})
}
