package phone

import (
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// maxRaw is the longest text that is looked at: E.164 has at most 15 digits, people
// add some punctuation and words.
const maxRaw = 64

// cacheSize bounds the cache; a full one is thrown away, which costs time only.
const cacheSize = 1 << 16

type key struct{ raw, country string }

var cache struct {
	sync.RWMutex
	m map[key]string
}

// E164 returns the number in E.164, "" if it is none. country (ISO alpha-2) is used
// for numbers without a country code.
func E164(raw, country string) string {
	if raw == "" || len(raw) > maxRaw {
		return ""
	}
	k := key{raw, country}
	cache.RLock()
	v, ok := cache.m[k]
	cache.RUnlock()
	if ok {
		return v
	}
	v = parse(raw, country)
	cache.Lock()
	if cache.m == nil || len(cache.m) >= cacheSize {
		cache.m = make(map[key]string, 1024)
	}
	cache.m[k] = v
	cache.Unlock()
	return v
}

func parse(raw, country string) string {
	n, err := phonenumbers.Parse(raw, country)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return ""
	}
	return phonenumbers.Format(n, phonenumbers.E164)
}
