// Package house holds the rules of the repository that a compiler does not know:
// which package may import which, and what the pure core may not touch. They are
// declared policy: a red test is mended in the import, not here.
package house
