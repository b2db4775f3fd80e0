package state

import "encoding/binary"

// KeyVersion is the first byte of every key.
const KeyVersion = 1

// Key is the key of one state entry. Its bytes are version, partition u16 big
// endian, length of the tenant u8, tenant, kind u8, id. A tenant's length is never
// 0, so that the partition's own keys (length 0) stand before all tenants.
type Key struct{ b string }

// Kind is the kind of an entry; the task gives each its own number.
type Kind byte

// Tenant is a tenant in a partition. It is the only way to a tenant's keys (P11).
type Tenant struct {
	name   string
	prefix string
}

// TenantIn returns the tenant's handle in a partition. It panics on a name of 0 or
// over 128 bytes: names are checked where records enter.
func TenantIn(partition int32, name string) Tenant {
	if len(name) == 0 || len(name) > 128 {
		panic("state: tenant name of 0 or over 128 bytes")
	}
	b := make([]byte, 0, 4+len(name))
	b = append(b, KeyVersion)
	b = binary.BigEndian.AppendUint16(b, uint16(partition))
	b = append(b, byte(len(name)))
	return Tenant{name: name, prefix: string(append(b, name...))}
}

// Name returns the tenant's name.
func (t Tenant) Name() string { return t.name }

// Key returns the key of the entry of that kind and id.
func (t Tenant) Key(k Kind, id string) Key { return Key{t.prefix + string([]byte{byte(k)}) + id} }

// Prefix is the same as Key, named for its use in Scan.
func (t Tenant) Prefix(k Kind, id string) Key { return t.Key(k, id) }

// System returns a key of the partition itself: positions, timers, counters. It
// holds nothing of a tenant but names.
func System(partition int32, k Kind, id string) Key {
	b := make([]byte, 0, 5+len(id))
	b = append(b, KeyVersion)
	b = binary.BigEndian.AppendUint16(b, uint16(partition))
	b = append(b, 0, byte(k))
	return Key{string(append(b, id...))}
}

// PartitionPrefix returns the prefix of everything in a partition.
func PartitionPrefix(partition int32) Key {
	b := []byte{KeyVersion}
	return Key{string(binary.BigEndian.AppendUint16(b, uint16(partition)))}
}

// Bytes returns a copy of the key's bytes: the key of its changelog record.
func (k Key) Bytes() []byte { return []byte(k.b) }

// String returns the key's bytes as a string, for ordering and maps.
func (k Key) String() string { return k.b }

// IsZero reports whether k is no key.
func (k Key) IsZero() bool { return k.b == "" }

// Partition returns the partition that the key belongs to.
func (k Key) Partition() int32 {
	if len(k.b) < 3 {
		return -1
	}
	return int32(k.b[1])<<8 | int32(k.b[2])
}

// ID returns what follows the kind: the id as given to Key or System.
func (k Key) ID() string {
	if len(k.b) < 5 {
		return ""
	}
	return k.b[5+int(k.b[3]):]
}

// TenantName returns the tenant of the key, "" for a key of the partition itself.
func (k Key) TenantName() string {
	if len(k.b) < 4 {
		return ""
	}
	return k.b[4 : 4+int(k.b[3])]
}

// RestoredKey returns the key of a changelog record. It is for the shell's
// restore alone; ok is false if the bytes are no key.
func RestoredKey(b []byte) (k Key, ok bool) {
	if len(b) < 5 || b[0] != KeyVersion || len(b) < 5+int(b[3]) {
		return Key{}, false
	}
	return Key{string(b)}, true
}
