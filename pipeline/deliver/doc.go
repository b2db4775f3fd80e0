// Package deliver owns the outbox: what waits for each CRM account, in which order
// it goes, with what, and what becomes of it.
//
// In: intents of sync, results, page markers, timers. Out: attempts (published on
// crm.commands and handed to the host), settlements for sync, dead letters, health.
//
// Kept here: an attempt is state before it is an effect (P1); a repeat is a new
// attempt and only of what may be repeated (P4); one record has at most one open
// attempt and several waiting writes of it become one (P6); picking the next batch
// looks at what is picked, never at all that waits (P8). It does not know why a
// write is wanted.
package deliver
