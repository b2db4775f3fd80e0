// Package deliver owns the outbox: what waits for each CRM account, in which order
// it goes, with what, and what becomes of it.
//
// In: intents of sync, results, page markers, timers. Out: attempts (published on
// crm.commands and handed to the host), settlements for sync, dead letters, health.
//
// Kept here: an attempt is state before it is an effect (P1); a source is asked again
// where its cursor stands, also if a page's marker never comes (P3); a repeat is a new
// attempt and only of what may be repeated (P4); a write ends as taken, given up or
// void, and what is given up is a dead letter (P5); one record has at most one open
// attempt and several waiting writes of it become one (P6); picking the next batch
// looks at what is picked, never at all that waits, a request and an entry have a
// bound in bytes, and what fails each time does not keep the account's other requests
// waiting (P8).
//
// A write is for one account, by its id. It goes to no other: an account that was
// replaced ends what waits for it, one that was taken out of the configuration does
// so after a day.
//
// It does not know why a write is wanted.
package deliver
