// Package statetest is the conformance suite of state.DB: mem and disk pass the
// same one. A plain map is the model.
package statetest
