// Package mapping turns values of a CRM into values of the dialer and back, by
// the lines of a tenant's configuration above the defaults of the CRMs' profiles.
//
// In: a schemas.TenantConfig, the profiles, and values as text. Out: Compiled, the
// lines in force by CRM and kind of record (B33), each with a transform, its inverse
// (B26) and its validations; and Problems, what is wrong with a configuration, in
// words for whoever wrote it.
//
// A value that can't be turned, or is not as its validations want it, is an *Invalid:
// inbound the raw text stays (B25), outbound the field is left out of the write (B27).
// Two values are compared by what they mean, never by their spelling (B25, B28, B31),
// so that a value that comes back ends there (P7).
//
// Everything here is a pure function of its arguments: no clock, no random number, no
// I/O, no goroutine (P9). Scripts are run by whoever implements Scripts.
package mapping
