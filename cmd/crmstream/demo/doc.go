// Package demo is the whole system in one process for somebody who sees it for the
// first time: broker, registry, a simulator of each CRM, several tenants and the
// pipeline, with a dialer that calls and CRM users who edit. It counts in the
// simulators, not in its own logs.
package demo
