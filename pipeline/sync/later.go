package sync

import "strings"

// timerLater: what is to be done, and where it goes on. It is work on all that is known,
// some at a time (P8).
const timerLater byte = '3'

// What timerLater does; the rest of its id is where it goes on.
const (
	laterCompany = "company\x00" // provider NUL account NUL person: a company has other values
	laterRows    = "rows\x00"    // row: those of accounts that were replaced
	laterScope   = "scope\x00"   // person: the scopes have changed
	laterOwner   = "owner\x00"   // provider NUL owner: it is known who that is
	laterLoaded  = "loaded\x00"  // person: the initial load is over
)

func (w *world) later(id string) error {
	what, rest, _ := strings.Cut(id, "\x00")
	switch what + "\x00" {
	case laterCompany:
		return w.followCompany(rest)
	case laterRows:
		return w.dropRows(rest)
	case laterScope:
		return w.scopePersons(rest)
	case laterOwner:
		return w.followOwner(rest)
	case laterLoaded:
		return w.writeLoaded(rest)
	case laterTables:
		return w.remapRows(rest)
	case laterMapped, laterRead:
		return w.remapped(what+"\x00", rest)
	}
	return nil
}
