// Package explain asks the owner of a tenant's partition why something is as it is, and
// prints the answer for people: where each value came from, where it went, why a call
// was or was not logged, what waits and for what.
package explain
