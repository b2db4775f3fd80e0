package sync

import (
	"archive/zip"
	"bytes"
	_ "embed" // the zones of the release, not the host's: a replay elsewhere gives the same dates (P9)
	"io"
	"maps"
	"sync/atomic"
	"time"
)

//go:generate sh -c "cp $(go env GOROOT)/lib/time/zoneinfo.zip zoneinfo.zip"

//go:embed zoneinfo.zip
var zoneinfo []byte

var zoneFiles = func() map[string]*zip.File {
	r, err := zip.NewReader(bytes.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		panic("sync: embedded time zones: " + err.Error())
	}
	m := make(map[string]*zip.File, len(r.File))
	for _, f := range r.File {
		m[f.Name] = f
	}
	return m
}()

// zones keeps the zones that were asked for. It is replaced whole, never changed,
// so that all partitions may read it at once; there are about 600 zones.
type zones struct {
	m atomic.Pointer[map[string]*time.Location]
}

// known returns a zone by its IANA name; nil where there is none of that name.
func (z *zones) known(name string) *time.Location {
	if _, ok := zoneFiles[name]; !ok && name != "UTC" {
		return nil
	}
	return z.get(name)
}

// get returns a zone by its IANA name; UTC where there is none of that name.
func (z *zones) get(name string) *time.Location {
	m := z.m.Load()
	if m != nil {
		if loc, ok := (*m)[name]; ok {
			return loc
		}
	}
	f, ok := zoneFiles[name]
	if !ok {
		return time.UTC
	}
	r, err := f.Open()
	if err != nil {
		return time.UTC
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return time.UTC
	}
	loc, err := time.LoadLocationFromTZData(name, b)
	if err != nil {
		return time.UTC
	}
	next := make(map[string]*time.Location)
	if m != nil {
		maps.Copy(next, *m)
	}
	next[name] = loc
	z.m.Store(&next)
	return loc
}
