// Package sync decides what is true and what should be written: persons out of
// dialer contacts and CRM records, calls matched to persons and turned into CRM
// activities.
//
// In: one decoded record and the state of its tenant. Out: sync.* records, state,
// timers, and intents for deliver. It knows no schedule and no CRM but by profile.
//
// Kept here: a record is applied, counted as a duplicate, held (listed) or
// dead-lettered (P5); merging what is known emits nothing, so that an echo ends
// (P7); a stream's cursor moves with its event, also where the event is poisonous or
// too large (P3, P5: the task takes all of it back and calls Skip); an event that
// continues nothing has its records read.
//
// Which value of a field is in force is pure (pipeline/conflict), and so is who looks
// like whom (pipeline/identity); here stands what both are asked with: what a record was
// known to hold, what is on its way to it, the indexes. A value that a CRM may have taken
// later than something newer is written again (P7). Two persons become one by a person's
// word, the dialer's link or the CRM's merge, and never fall apart by themselves (B7). What is
// on its way while they do is docs/adr/0016's.
//
// What an activity says is pure (pipeline/activity); here is decided when: a late edit
// that changes its text first reads what stands there, for people type there too, and
// goes out as one update (B12). Counters come from the set of a person's calls, so that a
// replay changes nothing (B19).
//
// What an operator does is an action: it is done once for its id, and rejected where
// it would do nothing. Times from outside are bounded by the transaction's own: none
// in the future wins. Ids of CRM records count within one account: another account of
// the same CRM is another generation, which sees nothing of the former one.
package sync
