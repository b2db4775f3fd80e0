// Package host runs connectors: it carries out the attempts of owned partitions,
// follows the streams of their accounts, receives webhooks, and produces what comes
// back to crm.results and crm.changes.
//
// In: effects of committed transactions, and only those (P1). Out: exactly one
// result for each attempt that was not dropped before it left; records read before
// the marker that covers them (P3). It never blocks the shell, and has no switch on
// a provider's name: what a connection can do beside Do is asked in one place,
// account.go.
package host
