// Package rest carries out HTTP requests for every provider and knows none.
//
// In: a Request and the time by which it must have left. Out: the answer, whole and
// bounded, or a classified *Error, and always an Outcome: whether the request may
// have been applied.
//
// One Client is one account's budget. It alone decides the moment at which a
// request leaves: an exact log of the last sends (never more than PerWindow in any
// Window), a bound on requests in flight, a hold after the CRM named a limit, and
// the daily allowance less a reserve for the tenant's other tools. Token requests
// go through the same Client.
//
// Kept here: nothing is sent after its time to leave; what certainly never left is
// told apart from what may have been applied (P4); no error or log line holds a
// secret or a query (P10). A process that sleeps between the last look at the clock
// and the write can't be fenced from here: such a request is reported as unknown.
//
// It must never repeat a request, follow a cursor or know a CRM's error codes.
package rest
