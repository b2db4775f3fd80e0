package sync

import (
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// The outbox knows a person's record by what it is in its CRM, never by whose it is: that
// changes while writes are on their way, and they must stay in order (P6).
const recordPrefix = "record:"

// formerPrefix begins the key of a record by whose it was, "person:p1:Lead:00Q1": nothing
// is written under one any more, but some may wait, or stand in dead letters.
const formerPrefix = "person:"

func recordKey(object, id string) string { return recordPrefix + object + ":" + id }

func isRecordKey(key string) bool {
	return strings.HasPrefix(key, recordPrefix) || strings.HasPrefix(key, formerPrefix)
}

// recordKeys are the keys under which writes to a record may wait.
func recordKeys(p *person, l schemas.Link) []string {
	return []string{recordKey(l.Object, l.ID), formerPrefix + p.ID + ":" + l.Object + ":" + l.ID}
}

// forgetWrites voids what waits for a person's record.
func (w *world) forgetWrites(p *person, l schemas.Link) {
	for _, key := range recordKeys(p, l) {
		w.want.Forget = append(w.want.Forget, pipeline.Ref{Provider: l.Provider, Key: key})
	}
}

// byRecordKey finds the person whose record a key names, and the record; nil where it is
// nobody's any more.
func (w *world) byRecordKey(provider, key string) (p *person, l *link, err error) {
	if rest, ok := strings.CutPrefix(key, formerPrefix); ok {
		_, key, _ = strings.Cut(rest, ":")
	} else {
		key = key[len(recordPrefix):]
	}
	object, id, _ := strings.Cut(key, ":")
	if p, err = w.linked(w.linkID(provider, object, id)); err != nil || p == nil {
		return nil, nil, err
	}
	return p, p.link(provider, object, id), nil
}
