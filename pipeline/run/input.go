package run

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
)

// Codec turns records into bytes and back; *registry.Codec is one.
type Codec interface {
	Append(dst []byte, topic string, v any) ([]byte, error)
	Decode(ctx context.Context, topic string, b []byte) (any, error)
}

// originHeader marks a record of the entry topic with the place where it first
// stood: topic/partition/offset.
const originHeader = "crmstream.origin"

// input is one polled record, judged before the transaction begins.
type input struct {
	pipeline.Record
	order int // of its topic
	// What is to be done with it: exactly one of these, else it is applied.
	reason, detail string // dead letter
	forward        bool   // it belongs to another partition
	// origin of a record of the entry topic.
	originTopic     string
	originPartition int32
	originOffset    int64
}

var orders = func() map[string]int {
	m := make(map[string]int)
	for _, t := range schemas.Inputs() {
		m[t.Name] = t.Order
	}
	return m
}()

// judge decodes a record and finds out what is to be done with it. The error is
// registry.ErrUnavailable: nothing can be said at present.
func judge(ctx context.Context, codec Codec, n int32, r *kgo.Record) (*input, error) {
	in := &input{order: orders[r.Topic], Record: pipeline.Record{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value,
	}}
	for _, h := range r.Headers {
		in.Headers = append(in.Headers, schemas.Header{Key: h.Key, Value: h.Value})
	}
	dead := func(reason, format string, args ...any) (*input, error) {
		in.reason, in.detail = reason, fmt.Sprintf(format, args...)
		return in, nil
	}
	if r.Topic == schemas.TopicEntry {
		if !in.readOrigin() {
			return dead(schemas.ReasonInvalid, "a record of %s without its origin in the header %s", schemas.TopicEntry, originHeader)
		}
		in.Via, in.Topic = schemas.TopicEntry, in.originTopic
	}
	if size := in.size(); size > schemas.RecordLimit {
		return dead(schemas.ReasonTooLarge, "the record has %d bytes with its headers, at most %d are taken", size, schemas.RecordLimit)
	}
	var err error
	if in.Tenant, err = schemas.TenantOf(r.Key); err != nil {
		return dead(schemas.ReasonBadKey, "%v", err)
	}
	if want := schemas.PartitionOf(in.Tenant, n); want != r.Partition {
		if in.Via == "" && strings.HasPrefix(r.Topic, "dialer.") {
			in.forward = true
			return in, nil
		}
		return dead(schemas.ReasonWrongPartition, "the record stands in partition %d, its tenant belongs to %d: set the producer's partitioner to murmur2 over the tenant (librdkafka: partitioner=murmur2_random)", r.Partition, want)
	}
	in.Decoded, err = codec.Decode(ctx, in.Topic, r.Value)
	if a, ok := in.Decoded.(*schemas.ControlAction); ok && a.DeadLetter != nil && err == nil {
		in.Original, err = original(ctx, codec, a.DeadLetter)
	}
	switch {
	case err == nil:
		return in, nil
	case errors.Is(err, registry.ErrUnavailable):
		return nil, err
	case errors.Is(err, registry.ErrUnknownSchema):
		return dead(schemas.ReasonUnknownSchema, "%v", err)
	default:
		return dead(schemas.ReasonBadAvro, "%v", err)
	}
}

// original decodes the input that a dead letter is about; nil if it has none, or none
// that can be read. The error is registry.ErrUnavailable.
func original(ctx context.Context, codec Codec, d *schemas.DeadLetter) (*pipeline.Record, error) {
	if len(d.Value) == 0 {
		return nil, nil
	}
	in := &input{Record: pipeline.Record{Topic: d.Topic, Partition: d.Partition, Offset: d.Offset, Timestamp: d.At, Key: d.Key, Value: d.Value, Headers: d.Headers}}
	if d.Topic == schemas.TopicEntry {
		if !in.readOrigin() {
			return nil, nil
		}
		in.Topic = in.originTopic
	}
	var err error
	if in.Tenant, err = schemas.TenantOf(d.Key); err != nil {
		return nil, nil //nolint:nilerr // it is the dead letter's own trouble
	}
	in.Decoded, err = codec.Decode(ctx, in.Topic, d.Value)
	switch {
	case errors.Is(err, registry.ErrUnavailable):
		return nil, err
	case err != nil:
		return nil, nil //nolint:nilerr // as above: the task says that it can't be applied
	}
	return &in.Record, nil
}

// size is that of key, value and headers.
func (in *input) size() int {
	n := len(in.Key) + len(in.Value)
	for _, h := range in.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

func (in *input) readOrigin() bool {
	for _, h := range in.Headers {
		if h.Key != originHeader {
			continue
		}
		parts := strings.Split(string(h.Value), "/")
		if len(parts) != 3 {
			return false
		}
		p, err1 := strconv.ParseInt(parts[1], 10, 32)
		o, err2 := strconv.ParseInt(parts[2], 10, 64)
		if _, known := orders[parts[0]]; !known || !strings.HasPrefix(parts[0], "dialer.") || err1 != nil || err2 != nil {
			return false
		}
		in.originTopic, in.originPartition, in.originOffset = parts[0], int32(p), o
		return true
	}
	return false
}

// readFrom is the topic that the record was read from.
func (in *input) readFrom() string {
	if in.Via != "" {
		return in.Via
	}
	return in.Topic
}
