// Package conflict decides, for one field of one person, between what is in force and
// what a side says now.
//
// In: a Case, that is both values with their times, who said them, and whether the CRM
// that speaks can have seen ours. Out: an Outcome, that is what is in force from now on,
// with the rule that decided, in words for sync.changes.
//
// A conflict is there only where neither side saw the other: a later change that saw
// what it replaced goes through whatever the strategy. What is in force carries the
// latest time of what it replaced or beat (Held.Over), so that a repeat, or a word that
// the CRM itself has left behind, decides nothing again (P7): to apply a version twice is
// to apply it once, and no decision needs echoes to be kept away.
//
// A field that waits for a person's decision is a Dispute: both sides keep their value.
// Do-not-call never comes here (B23).
//
// Everything here is a pure function of its arguments: no clock, no state, no I/O (P9).
package conflict
