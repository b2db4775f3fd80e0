// Package sim is a HubSpot that runs on a port: an HTTP server speaking the CRM object, batch, search, association, property and
// owner wire formats and delivering signed webhooks, so that an unmodified public client works against it by base URL alone.
//
// In: HTTP requests as api.hubapi.com receives them. Out: the vendor's documented answers, limits, error bodies and quirks, and a
// webhook for every change of a subscribed kind. What it does is taken from the vendor's documents and from recorded traffic, never
// from what a client of this repository sends. Each file opens with the endpoints it serves and how they are known to deviate.
//
// Promises. A change that was answered 2xx is in the portal's log file and survives kill -9 of the process (not a power cut: there
// is no fsync), and so do webhook deliveries still owed. No request waits for a delivery. Safe for concurrent use. It must never
// import a client of itself, and never answer a write before it is logged.
//
// One server holds several portals; the access token says which. The date-versioned paths (/crm/objects/2026-03/contacts) are
// twins of the numbered ones. Everything under /_sim/ is the simulator's own, unauthenticated, and for tests and demos only:
//
//	GET    /_sim/portals                                   the portals, their owners, webhook targets and subscriptions
//	GET    /_sim/records?portal=&object=&limit=&after=     all records with all properties and associations as a JSON array, by id
//	                                                       from above after; &deleted=1 with archived ones, &format=jsonl one a
//	                                                       line, &property=value keeps the equal ones
//	GET    /_sim/count?portal=&object=                     {"count":n}, same filters
//	POST   /_sim/write    {portal,user,object,id?,properties}  an edit in the UI; creates without id; "delete":true archives,
//	                                                       "restore":true takes back, "privacy":true erases; answers {id,created}
//	POST   /_sim/merge    {portal,user,object,winner,losers}   a merge in the UI; answers {id} of the new record
//	POST   /_sim/webhooks {portal,target_url,subscriptions}    where webhooks go; subscriptions left out stay as they are
//	POST   /_sim/faults   {kind,count,…}                   see faults.go for the kinds
//	GET    /_sim/faults, DELETE /_sim/faults               what is armed; disarm all
//	GET    /_sim/occurrences?portal=                       the custom and timeline events that were taken
//	GET    /_sim/requests?portal=                          vendor requests by kind, 429s, what the limits leave, webhooks
//
// Not served (404, as an unknown route is): OAuth, the merge endpoint, GDPR delete, pipelines, event definitions and templates, calling extensions,
// the webhook settings API and journal, custom objects, v1 and v2. Not modelled: that a deal loses its primary company with the association; the background recalculation that moves
// lastmodifieddate some seconds after a create, association by e-mail domain, record limits, property validation rules.
package sim
