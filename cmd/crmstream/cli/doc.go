// Package cli is the commands of crmstream: flags in, text or JSON out. A command
// parses, calls the package that does the work, and prints; it decides nothing.
//
// Exit status: 0 done, 1 it ran and what it found is bad, 2 the input is wrong, 3
// something it needs is not there (a broker, a port, a file).
package cli
