// Package tenants reads and writes the tenants' configurations on the topic
// control.tenants: the newest version of each tenant counts. It reads the topic
// itself, from its start to where it stood at the call; there is no other copy.
package tenants
