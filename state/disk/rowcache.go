package disk

import (
	"bytes"
	"hash/maphash"
	"sync"

	"github.com/crmstream/crmstream/state"
)

// rowCache keeps values that were read or written lately, also that there is none: a
// point read of Pebble looks into every table in memory and costs some microseconds, a
// record's merge does eight. It holds what is committed, nothing else (P2).
//
// A shard has two generations: what is read moves to the young one; when that is full,
// the old one is thrown away as a whole. That is a least-recently-used order within a
// factor of two, without a list.
type rowCache struct {
	seed   maphash.Seed
	shards [rowShards]rowShard
}

const rowShards = 16

// rowOverhead is what an entry costs beside its key and value.
const rowOverhead = 96

type rowShard struct {
	mu         sync.Mutex
	young, old map[string][]byte // nil value = there is none
	bytes, max int               // of the young generation
	// version counts changes: a value that was read from Pebble before one and arrives
	// after it must not be kept.
	version uint64
}

func newRowCache(bytes int64) *rowCache {
	c := &rowCache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].max = int(bytes / rowShards / 2)
		c.shards[i].young = make(map[string][]byte)
	}
	return c
}

func (c *rowCache) shard(key string) *rowShard {
	return &c.shards[maphash.String(c.seed, key)%rowShards]
}

// get returns the value, nil if it is known that there is none; hit is false if nothing
// is known, and version is then to be given to fill.
func (c *rowCache) get(key string) (value []byte, hit bool, version uint64) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.young[key]; ok {
		return v, true, 0
	}
	if v, ok := s.old[key]; ok {
		s.put(key, v)
		return v, true, 0
	}
	return nil, false, s.version
}

// fill keeps what was read from Pebble after get.
func (c *rowCache) fill(key string, value []byte, version uint64) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version == version {
		s.put(key, value)
	}
}

// write takes over what was committed, where the key is known: what is written
// without being read, such as a restore, is not worth a place.
func (c *rowCache) write(ws []state.Write) {
	for i := range ws {
		key := ws[i].Key.String()
		s := c.shard(key)
		s.mu.Lock()
		s.version++
		_, young := s.young[key]
		if _, old := s.old[key]; young || old {
			s.put(key, bytes.Clone(ws[i].Value))
		}
		s.mu.Unlock()
	}
}

// drop forgets a partition.
func (c *rowCache) drop(partition int32) {
	prefix := state.PartitionPrefix(partition).String()
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.version++
		for _, m := range []map[string][]byte{s.young, s.old} {
			for k := range m {
				if k[:len(prefix)] == prefix {
					delete(m, k)
				}
			}
		}
		s.mu.Unlock()
	}
}

func (s *rowShard) put(key string, value []byte) {
	if old, had := s.young[key]; had {
		s.bytes -= len(key) + len(old) + rowOverhead
	}
	s.bytes += len(key) + len(value) + rowOverhead
	s.young[key] = value
	if s.bytes > s.max {
		s.old, s.young, s.bytes = s.young, make(map[string][]byte, len(s.young)), 0
	}
}
