package sync

import (
	"slices"

	"github.com/crmstream/crmstream/pipeline/conflict"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
)

// A CRM tells of our own values as it tells of everybody's. Which of them are no word of
// its own, so that loops end and nobody's word is lost to an echo (P7), is found out here.

// sentFor is how long what came back is still looked for, in ms.
const sentFor = 10 * 60 * 1000

// openFor is how long before its end a write may have landed, in ms.
const openFor = 60 * 1000

// replaced keeps a value that is on its way while another takes its place.
func (l *link) replaced(name string, by *string) {
	wanted, pending := find(l.Wanted, name)
	if !pending || equal(wanted, by) {
		return
	}
	l.keep(sentValue{Name: name, Value: wanted})
}

// arrived takes over that a write of a field came to an end, taken or not. last says that
// nothing had taken its place.
func (l *link) arrived(f *schemas.Field, now int64) (last bool) {
	wanted, pending := find(l.Wanted, f.Name)
	last = pending && equal(wanted, f.Value)
	if last {
		l.Wanted = unset(l.Wanted, f.Name)
	}
	if len(l.Sent) == 0 {
		return last
	}
	for i := range l.Sent {
		if s := &l.Sent[i]; s.Until == 0 && s.Name == f.Name && (last || !pending || equal(s.Value, f.Value)) {
			s.Until = now
		}
	}
	l.Sent = slices.DeleteFunc(l.Sent, func(s sentValue) bool { return s.Until != 0 && s.Until+sentFor < now })
	return last
}

// givenUp takes over that nothing is to be written to a record any more. What left already
// may land for a while; after that it is somebody's word there.
func (l *link) givenUp(now int64) {
	for _, f := range l.Wanted {
		l.keep(sentValue{Name: f.Name, Value: f.Value})
	}
	l.Wanted = nil
	for i := range l.Sent {
		if s := &l.Sent[i]; s.Until == 0 {
			s.Until = now + openFor
		}
	}
}

// landed keeps a value that the CRM has taken over what it had before. What somebody wrote
// there in between is heard of after that, and then ours once more, which is no word of
// the CRM's own.
func (l *link) landed(name string, v, before *string, now int64) {
	l.keep(sentValue{Name: name, Value: v, Until: now, Landed: true, Before: before})
}

// overtaken says that a word may be older than what ours put in its place a moment ago:
// nobody knows which of them stands there now.
func (l *link) overtaken(env *mapping.Env, m *mapping.Line, ours, v *string, at int64) bool {
	return m.Outbound() && slices.ContainsFunc(l.Sent, func(s sentValue) bool {
		return s.Landed && s.Name == m.CRM && at <= s.Until && at > s.Until-openFor && m.Alike(env, s.Value, ours) && !m.Alike(env, s.Before, v)
	})
}

// takenBack says that a record has again what it had before ours. It may have been read
// before ours came, so that what it says of ours next is news.
func (l *link) takenBack(env *mapping.Env, m *mapping.Line, v *string) {
	if len(l.Sent) > 0 {
		l.Sent = slices.DeleteFunc(l.Sent, func(s sentValue) bool { return s.Landed && s.Name == m.CRM && m.Alike(env, s.Before, v) })
	}
}

// sentMost is how many former values of one field are looked for: a CRM that is away while
// somebody changes his mind often says none of the first ones when it is back.
const sentMost = 20

func (l *link) keep(is sentValue) {
	first, n := 0, 0
	for i := len(l.Sent) - 1; i >= 0; i-- {
		s := &l.Sent[i]
		if s.Name != is.Name {
			continue
		}
		if equal(s.Value, is.Value) {
			*s = is
			return
		}
		first = i
		n++
	}
	if n >= sentMost {
		l.Sent = slices.Delete(l.Sent, first, first+1)
	}
	l.Sent = append(l.Sent, is)
}

// listens reports whether what a CRM says of a field counts for the person.
func (w *world) listens(l *link, name string) bool {
	o := w.lines.Object(l.Provider, l.Object)
	return o != nil && slices.ContainsFunc(o.Lines, func(m *mapping.Line) bool { return m.CRM == name && m.Inbound() })
}

// wasOurs says that a record tells of a value of ours that was on its way to it, and not
// of what somebody wrote there after that was over; stands, that it may be what the record
// has by now: no other is known to have been taken after it.
func (l *link) wasOurs(env *mapping.Env, m *mapping.Line, v *string, at int64) (is, stands bool) {
	i := slices.IndexFunc(l.Sent, func(s sentValue) bool {
		return s.Name == m.CRM && (s.Until == 0 || at <= s.Until+conflict.Tolerance) && m.Alike(env, s.Value, v) &&
			(!s.Landed || m.Outbound()) // a line that only reads hears what another one wrote
	})
	if i < 0 {
		return false, false
	}
	later := func(s sentValue) bool { return s.Name == m.CRM && s.Landed && s.Until > l.Sent[i].Until }
	return true, !l.Sent[i].Landed || !slices.ContainsFunc(l.Sent, later)
}
