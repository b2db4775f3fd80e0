// Package hubspot connects to HubSpot: CRM objects v3, associations v4 and signed
// webhooks.
//
// In: attempts to write, read by id or read a page; an account whose token is a
// reference; deliveries of webhooks. Out: one result item per item, in order;
// records and owners on emit; the next cursor of a page; hints of what changed.
//
// Kept here: a batch's answer comes in any order, so each input bears a trace id;
// where the portal has a unique property for the call id a write is an upsert by it,
// else a repeated create looks for the call first (P4); a page's cursor needs nothing
// that the server keeps (P3); no word of a delivery is believed before its signature
// is (P10). The portal that answers a token must be the one that is configured.
//
// One file each: provider.go and profile.go (what the core knows), activity.go (a
// call as an engagement), conn.go (Do), auth.go, write.go and batch.go (the answer
// of a batch), read.go, page.go with cursor.go, errors.go (the CRM's answers as
// classes), webhook.go.
package hubspot
