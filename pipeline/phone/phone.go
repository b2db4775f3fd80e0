package phone

import (
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// maxRaw is the longest text that is looked at: E.164 has at most 15 digits, people
// add some punctuation and words.
const maxRaw = 64

// generation bounds a generation of the cache: what is read moves to the young one;
// when that is full, the old one is thrown away, which costs time only.
const generation = 1 << 18

type key struct{ raw, country string }

var cache struct {
	sync.RWMutex
	young, old map[key]string
}

// E164 returns the number in E.164, "" if it is none. country (ISO alpha-2) is used
// for numbers without a country code.
func E164(raw, country string) string {
	if raw == "" || len(raw) > maxRaw {
		return ""
	}
	if raw[0] == '+' {
		country = "" // it says its own, and one entry serves all
	}
	k := key{raw, country}
	cache.RLock()
	v, ok := cache.young[k]
	if ok {
		cache.RUnlock()
		return v
	}
	v, ok = cache.old[k]
	cache.RUnlock()
	if !ok {
		v = parse(raw, country)
	}
	keep(k, v)
	if !ok && v != "" && v != raw {
		keep(key{v, ""}, v) // it is asked for in this form next
	}
	return v
}

func keep(k key, v string) {
	cache.Lock()
	defer cache.Unlock()
	if cache.young == nil || len(cache.young) >= generation {
		cache.old, cache.young = cache.young, make(map[key]string, 1024)
	}
	cache.young[k] = v
}

// KnownCountry reports whether a country (ISO alpha-2) has numbers of its own. Without
// one no national number can be read.
func KnownCountry(country string) bool {
	return phonenumbers.GetCountryCodeForRegion(country) != 0
}

// National returns the digits of a number in E.164 as they are dialled within its
// country, without what is dialled before them there; "" if it is none.
func National(e164 string) string {
	n, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return ""
	}
	return phonenumbers.GetNationalSignificantNumber(n)
}

func parse(raw, country string) string {
	n, err := phonenumbers.Parse(raw, country)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return ""
	}
	return phonenumbers.Format(n, phonenumbers.E164)
}
