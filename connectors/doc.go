// Package connectors says how a foreign system becomes a topic, and back.
//
// A Provider is one CRM. What every provider must do stands in Provider and Conn;
// what only some can do (push a stream, receive webhooks) in small interfaces of
// their own, asserted in one place, host/. Nobody outside a provider's own folder
// knows its concrete types or names it in a switch; all/ has one line per system.
//
// Kept here: a request leaves only for an attempt that was handed over after its
// commit (P1), once per attempt; a cursor is moved by the task alone, with the
// records that it covers (P3); secrets are resolved at use and appear in no log,
// error or metric (P10).
//
// Below: rest/ (tokens, the moment of sending, Retry-After, redaction), base/ (what
// is the same for every provider), host/ (runs them), connectortest/ (the conformance
// suite), salesforce/ and hubspot/ (same files, same order, each with its sim/ on top
// of simkit/), dialer/ (helpers of a producer).
package connectors
