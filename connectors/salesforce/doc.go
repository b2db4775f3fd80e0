// Package salesforce connects to Salesforce: REST API v59.0, sObject Collections,
// SOQL, and change events by CometD.
//
// In: attempts to write, read by id or read a page; an account whose secrets are
// references. Out: one result item per item, in order; records and pushed events on
// emit; the next cursor of a page.
//
// Kept here: a first write of a call is an upsert by its external id, so it can be
// repeated (P4); a page's cursor is a key (SystemModstamp, Id) and never a server's
// locator, so it outlives sessions (P3); a lost replay position is said, never
// papered over; tokens stay in memory (P10). The org that answers a login must be
// the one that is configured.
//
// One file each: provider.go and profile.go (what the core knows), activity.go (a
// call as a Task), conn.go (Do), auth.go (JWT bearer), write.go, read.go, page.go,
// errors.go (the CRM's codes as classes), stream.go, bayeux.go and event.go.
package salesforce
