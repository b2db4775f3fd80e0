// Package profile is what the pure core knows of a CRM: data and pure functions,
// no I/O. A connector offers one Profile; cmd hands it to the task. The core has
// no switch on a provider's name: whatever differs between CRMs is a field here.
package profile
