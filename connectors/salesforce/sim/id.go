package sim

import "strings"

const (
	base62     = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	suffixAbc  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	shortIDLen = 15
	longIDLen  = 18
)

// idSuffix is the case checksum that makes a 15-character id safe for systems that ignore case: five characters to one letter,
// bit i set where character i is upper case.
func idSuffix(id15 string) string {
	var out [3]byte
	for chunk := range 3 {
		bits := 0
		for i := range 5 {
			if c := id15[chunk*5+i]; c >= 'A' && c <= 'Z' {
				bits |= 1 << i
			}
		}
		out[chunk] = suffixAbc[bits]
	}
	return string(out[:])
}

// canonicalID returns the 18-character form of a 15- or 18-character id, and whether s is well formed.
func canonicalID(s string) (string, bool) {
	if len(s) != shortIDLen && len(s) != longIDLen {
		return "", false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return "", false
		}
	}
	id := s[:shortIDLen] + idSuffix(s[:shortIDLen])
	if len(s) == longIDLen && s != id {
		return "", false
	}
	return id, true
}

// makeID builds the n-th id of an object in an org: key prefix, three characters of the org, nine of the counter. Ids of one
// object therefore sort in order of creation.
func makeID(prefix, pod string, n int64) string {
	var digits [9]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = base62[n%62]
		n /= 62
	}
	id := prefix + pod + string(digits[:])
	return id + idSuffix(id)
}

// idNumber is the counter within an id made by makeID; 0 for an id of another pod.
func idNumber(id, pod string) int64 {
	if len(id) < shortIDLen || id[3:6] != pod {
		return 0
	}
	var n int64
	for i := 6; i < shortIDLen; i++ {
		n = n*62 + int64(strings.IndexByte(base62, id[i]))
	}
	return n
}

// podOf derives the three instance characters of an org's record ids from its own id, so that ids of two orgs differ.
func podOf(orgID string) string {
	h := uint32(2166136261)
	for i := range len(orgID) {
		h = (h ^ uint32(orgID[i])) * 16777619
	}
	return string([]byte{base62[h%62], base62[h/62%62], base62[h/3844%62]})
}
