// Package sim is a Salesforce that runs on a port: an HTTP server speaking the REST, Collections, query, OAuth JWT bearer and
// CometD change-event wire formats, so that an unmodified public client works against it by base URL alone.
//
// In: HTTP requests as a Salesforce org receives them. Out: the vendor's documented answers, limits, error bodies and quirks, and
// a change event for every write. What it does is taken from the vendor's documents and from recorded traffic, never from what a
// client of this repository sends. Each file opens with the endpoints it serves and how they are known to deviate.
//
// Promises. A change that was answered 2xx is in the org's log file and survives kill -9 of the process (not a power cut: there is
// no fsync). Replay ids rise, have gaps, and survive a restart for 72 hours. No request waits for a long poll. Safe for concurrent
// use. It must never import a client of itself, and never answer a write before it is logged.
//
// One server holds several orgs; the access token ("00D<org>!opaque") says which. Everything under /_sim/ is the simulator's own,
// unauthenticated, and for tests and demos only:
//
//	GET    /_sim/orgs                                   the orgs, their users, client ids and entities with change events
//	GET    /_sim/records?org=&object=&limit=&offset=    all records as a JSON array; &deleted=1 with deleted ones,
//	                                                    &format=jsonl one a line, &Field=value keeps the equal ones
//	GET    /_sim/count?org=&object=                     {"count":n}, same filters
//	POST   /_sim/write    {org,user,object,id?,fields}  an edit in the UI; creates without id; "delete":true deletes,
//	                                                    "undelete":true takes back; answers {id,created}
//	POST   /_sim/convert  {org,user,lead,opportunity?}  lead conversion, one transaction
//	POST   /_sim/merge    {org,user,object,winner,losers}
//	POST   /_sim/grant    {org,user,client_id}          a refresh token, as a finished web-server flow leaves it
//	POST   /_sim/faults   {kind,count,…}                see faults.go for the kinds
//	GET    /_sim/faults, DELETE /_sim/faults            what is armed; disarm all
//	GET    /_sim/requests?org=                          vendor requests by kind, and the daily limit left
//
// Not served (404 NOT_FOUND, as an unknown resource is): Bulk 2.0, /composite and /composite/batch, Tooling, SOAP, Pub/Sub, the
// interactive OAuth flows. Not modelled: sharing and field-level security, validation and duplicate rules, restricted picklists,
// triggers, gzip, XML bodies, concurrent-request limits.
package sim
