// Package sync decides what is true and what should be written: persons out of
// dialer contacts and CRM records, calls matched to persons and turned into CRM
// activities.
//
// In: one decoded record and the state of its tenant. Out: sync.* records, state,
// timers, and intents for deliver. It knows no schedule and no CRM but by profile.
//
// Kept here: a record is applied, counted as a duplicate, held (listed) or
// dead-lettered (P5); merging what is known emits nothing, so that an echo ends
// (P7); a stream's cursor moves with its event, also where the event is poisonous
// (P3, P5).
package sync
