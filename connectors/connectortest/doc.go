// Package connectortest is the conformance suite of connectors.
//
// In: a Provider and the simulator of its CRM, as a System of plain functions. Out:
// a test that fails where the provider breaks what connectors.Conn promises.
// Deviations of a provider are fields of System that are left nil, found by search.
//
// It knows no provider, and must never look at a provider's concrete types.
package connectortest
