package run

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/klauspost/compress/s2"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// The embedded broker writes a transaction's commit markers partition by partition.
// Killed amid them, it comes back with some partitions committed and others not: the
// changelog can say that an input was applied whose outputs nobody will ever read.
// So on that broker, and on it alone, a transaction also writes its outputs into the
// changelog, under keys that the next one overwrites. The first transaction after an
// unclean boot produces them again, bytes and headers alike: readers drop what they
// have seen by the source header, and a compacted topic holds the same value again.

const (
	tornChunk = 512 << 10
	// tornLimit is the most that is kept. Above it the compacted outputs are left out:
	// what they say is said again at the record's next change, while an append-only
	// record that is lost is lost for ever. Those are kept whatever their size.
	tornLimit = 4 << 20
	tornID    = "torn/"
)

func tornKey(partition int32, n int) state.Key {
	return state.System(partition, pipeline.SysShell, fmt.Sprintf("%s%06d", tornID, n))
}

// isTorn reports whether a key is of the outputs that are kept. They depend on the
// broker, not on the rules, and a replay does not compare them.
func isTorn(k state.Key) bool {
	return k.TenantName() == "" && strings.HasPrefix(k.String(), state.System(k.Partition(), pipeline.SysShell, tornID).String())
}

// tornHeader begins the first chunk: version 2, boot, number of chunks. The outputs
// follow, compressed: they stand in the changelog a second time.
const (
	tornVersion = 2
	tornHeader  = 1 + 8 + 4
)

// tornWrites returns the writes that keep outs, and the number of chunks; had is the
// number that stands there already.
func tornWrites(partition int32, boot int64, outs []produced, had int) ([]state.Write, int) {
	size := 0
	for i := range outs {
		size += outs[i].size()
	}
	plain := make([]byte, 0, size)
	for i := range outs {
		if t, _ := schemas.TopicByName(outs[i].topic); size > tornLimit && t.Compact {
			continue
		}
		plain = outs[i].append(plain)
	}
	all := make([]byte, tornHeader+s2.MaxEncodedLen(len(plain)))
	all[0] = tornVersion
	binary.BigEndian.PutUint64(all[1:], uint64(boot))
	all = all[:tornHeader+len(s2.Encode(all[tornHeader:], plain))]
	n := (len(all) + tornChunk - 1) / tornChunk
	binary.BigEndian.PutUint32(all[9:], uint32(n))
	ws := make([]state.Write, 0, max(n, had))
	for i := range n {
		ws = append(ws, state.Write{Key: tornKey(partition, i), Value: all[i*tornChunk : min((i+1)*tornChunk, len(all))]})
	}
	for i := n; i < had; i++ {
		ws = append(ws, state.Write{Key: tornKey(partition, i)})
	}
	return ws, n
}

// torn is what a partition's last transaction kept.
type torn struct {
	boot   int64
	chunks int
	outs   []produced
}

func readTorn(r state.Reader, partition int32) (torn, error) {
	var t torn
	var packed []byte
	corrupt := fmt.Errorf("outputs kept of partition %d: %w", partition, pipeline.ErrCorrupt)
	for i := 0; i == 0 || i < t.chunks; i++ {
		v, ok, err := r.Get(tornKey(partition, i))
		switch {
		case err != nil:
			return t, err
		case !ok && i == 0:
			return t, nil
		case !ok || i == 0 && (len(v) < tornHeader || v[0] != tornVersion):
			return t, corrupt
		}
		if i == 0 {
			t.boot = int64(binary.BigEndian.Uint64(v[1:]))
			t.chunks = int(binary.BigEndian.Uint32(v[9:]))
			v = v[tornHeader:]
		}
		packed = append(packed, v...)
	}
	all, err := s2.Decode(nil, packed)
	if err != nil {
		return t, corrupt
	}
	for len(all) > 0 {
		p, rest, ok := readProduced(all)
		if !ok {
			return t, corrupt
		}
		t.outs, all = append(t.outs, p), rest
	}
	return t, nil
}

// lost returns the outputs that may be lost: the broker went down uncleanly after
// they were kept, or was started in between and nobody looked.
func (t torn) lost(b boot) []produced {
	if b.Boot > t.boot && (!b.Clean || b.Boot > t.boot+1) {
		return t.outs
	}
	return nil
}

// size is an upper bound of what append appends.
func (p *produced) size() int {
	n := len(p.topic) + len(p.key) + len(p.value) + 5*binary.MaxVarintLen32
	for _, h := range p.headers {
		n += len(h.Key) + len(h.Value) + 2*binary.MaxVarintLen32
	}
	return n
}

// append appends the record: topic, partition, key, value (+1, 0 = tombstone),
// headers, each with its length before it.
func (p *produced) append(b []byte) []byte {
	b = appendPart(b, []byte(p.topic))
	b = binary.AppendUvarint(b, uint64(p.partition))
	b = appendPart(b, p.key)
	if p.value == nil {
		b = append(b, 0)
	} else {
		b = binary.AppendUvarint(b, uint64(len(p.value))+1)
		b = append(b, p.value...)
	}
	b = binary.AppendUvarint(b, uint64(len(p.headers)))
	for _, h := range p.headers {
		b = appendPart(appendPart(b, []byte(h.Key)), h.Value)
	}
	return b
}

func appendPart(b, part []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

func readProduced(b []byte) (p produced, rest []byte, ok bool) {
	ok = true
	num := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			ok = false
			return 0
		}
		b = b[n:]
		return v
	}
	bytes := func(n uint64) []byte {
		if n > uint64(len(b)) {
			ok = false
			return nil
		}
		v := b[:n:n]
		b = b[n:]
		return v
	}
	p.topic = string(bytes(num()))
	p.partition = int32(num())
	p.key = bytes(num())
	if n := num(); n > 0 {
		p.value = bytes(n - 1)
	}
	for n := num(); ok && n > 0; n-- {
		key := string(bytes(num()))
		p.headers = append(p.headers, schemas.Header{Key: key, Value: bytes(num())})
	}
	return p, b, ok
}
