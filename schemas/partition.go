package schemas

import (
	"errors"
	"strings"
)

// ErrBadKey is returned for a record key that names no tenant.
var ErrBadKey = errors.New("the key names no tenant: it must be \"tenant\" or \"tenant/record\" in UTF-8")

// TenantOf returns the tenant of a record key, which is "tenant" or
// "tenant/record". A tenant is 1 to 128 bytes without '/' and control characters.
func TenantOf(key []byte) (string, error) {
	t := string(key)
	if i := strings.IndexByte(t, '/'); i >= 0 {
		t = t[:i]
	}
	if !ValidTenant(t) {
		return "", ErrBadKey
	}
	return t, nil
}

// ValidTenant reports whether t can name a tenant.
func ValidTenant(t string) bool {
	if len(t) == 0 || len(t) > 128 || strings.ToValidUTF8(t, "") != t {
		return false
	}
	return strings.IndexFunc(t, func(r rune) bool { return r < 0x21 || r == 0x7f || r == '/' }) < 0
}

// PartitionOf returns the partition of a tenant among n: what a Java client does
// by default with a record whose key is the tenant alone. In librdkafka's words:
// partitioner=murmur2_random.
func PartitionOf(tenant string, n int32) int32 {
	return int32(murmur2(tenant)&0x7fffffff) % n
}

func murmur2(s string) uint32 {
	const m, r = 0x5bd1e995, 24
	h := uint32(0x9747b28c) ^ uint32(len(s))
	i := 0
	for ; len(s)-i >= 4; i += 4 {
		k := uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16 | uint32(s[i+3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
	}
	switch len(s) - i {
	case 3:
		h ^= uint32(s[i+2]) << 16
		fallthrough
	case 2:
		h ^= uint32(s[i+1]) << 8
		fallthrough
	case 1:
		h ^= uint32(s[i])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}
