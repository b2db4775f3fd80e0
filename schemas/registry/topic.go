package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Types of records on SchemasTopic. All are as Confluent's registry has them;
// its readers skip the last one, whatever it holds.
const (
	ofSchema  = "SCHEMA"
	ofSubject = "DELETE_SUBJECT" // read, not written: ours marks each version
	ofConfig  = "CONFIG"
	ofMode    = "MODE"
	ofNothing = "NOOP" // here: the highest id that was ever given out
)

type recordKey struct {
	Type    string `json:"keytype"`
	Subject string `json:"subject,omitempty"`
	Version int    `json:"version,omitempty"`
	Magic   int    `json:"magic"`
}

type configValue struct {
	Level string `json:"compatibilityLevel"`
}

type modeValue struct {
	Mode string `json:"mode"`
}

type idValue struct {
	ID int `json:"highest_id"`
}

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
	case ofSchema:
		var v version
		switch {
		case value == nil:
			s.forget(k.Subject, k.Version)
		case json.Unmarshal(value, &v) == nil:
			s.keep(&v)
		}
	case ofSubject:
		var upTo version
		if value == nil || json.Unmarshal(value, &upTo) != nil {
			return
		}
		for _, v := range s.subject(k.Subject).versions {
			v.Deleted = v.Deleted || v.Version <= upTo.Version
		}
	case ofConfig:
		var c configValue
		if value != nil && json.Unmarshal(value, &c) != nil {
			return
		}
		if k.Subject != "" {
			s.subject(k.Subject).config = c.Level
		} else if s.config = c.Level; value == nil {
			s.config = defaultLevel
		}
	case ofMode:
		var m modeValue
		if value != nil && json.Unmarshal(value, &m) != nil {
			return
		}
		if k.Subject != "" {
			s.subject(k.Subject).mode = m.Mode
		} else if s.mode = m.Mode; value == nil {
			s.mode = readWrite
		}
	case ofNothing:
		var id idValue
		if value != nil && json.Unmarshal(value, &id) == nil {
			s.next = max(s.next, id.ID+1)
		}
	}
}

func (s *Server) keep(v *version) {
	s.subject(v.Subject).put(v)
	s.texts[v.ID] = v.Schema
	if c, err := canonical(v.Schema); err == nil {
		if _, ok := s.ids[c]; !ok {
			s.ids[c] = v.ID
		}
	}
	s.next = max(s.next, v.ID+1)
}

// forget drops a version for good, and its schema if no other version has it: after a
// restart it would be gone too.
func (s *Server) forget(name string, n int) {
	sub := s.subject(name)
	gone := sub.find(n)
	if gone == nil {
		return
	}
	sub.remove(gone)
	for _, other := range s.subjects {
		for _, v := range other.versions {
			if v.ID == gone.ID {
				return
			}
		}
	}
	delete(s.texts, gone.ID)
	if c, err := canonical(gone.Schema); err == nil && s.ids[c] == gone.ID {
		delete(s.ids, c)
	}
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

// purge deletes versions for good. Their ids stay given out: records in topics bear
// them, and would come to mean another schema.
func (s *Server) purge(ctx context.Context, vs []*version) error {
	if err := s.persist(ctx, recordKey{Type: ofNothing}, idValue{s.next - 1}); err != nil {
		return err
	}
	for _, v := range vs {
		if err := s.persist(ctx, recordKey{ofSchema, v.Subject, v.Version, 1}, nil); err != nil {
			return err
		}
	}
	return nil
}
