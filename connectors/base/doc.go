// Package base is what connectors are built on: whatever is the same for every CRM
// stands here once, and a connector says only how its CRM differs.
//
// In: an account's configuration (Open), one attempt (New). Out: a connection that
// sends requests with a token and within the budget (Account), an answer that is
// complete also on failure (Attempt), the list of all mistakes in a configuration
// (Checks), the title of a call (Subject).
//
// Kept here: an item that nobody settled says so, and was not sent until it was
// (P4); a refused token is replaced once, inside the attempt; once a connection is
// closed nothing leaves (P1); no message holds a token (P10); what was read and not
// taken is no success (P3).
//
// It must never know a CRM: no code, path or field name of one stands here.
package base
