// Package identity says which known person a record is about: nobody, somebody, or
// somebody of whom a person should be asked.
//
// In: what a record looks like, a tenant's rules in their order, and a Source that
// answers by e-mail, number and name key. Out: an Outcome with its reason. Ids of records
// and links of the dialer are looked up by the caller before: nothing here is needed for
// them.
//
// The rules are B1's and B2's: a unique e-mail links, but only suggests where first and
// last name are quite others, for a team may share a mailbox; a number links where the name
// agrees, for a switchboard has many people behind it; e-mail, number and company
// together link; an alike name at the same company only suggests, unless the tenant
// names a threshold and says that it links. Who was told apart is neither linked nor
// suggested again.
//
// Alike names are found by an index of company and initial (Keys), never by a scan, and
// at most Candidates of them are compared. Letters that only look alike are not alike.
//
// Everything here is a pure function of its arguments and of what the Source says: no
// clock, no state of its own (P9).
package identity
