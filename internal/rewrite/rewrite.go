// Package rewrite is the flag -rewrite of tests whose expectations are files: with it they
// write what came out, and the diff is the review. Test packages beside them import it, too,
// so that one command renews all: go test ./pipeline/... -rewrite. Tests alone import it.
package rewrite

import "flag"

var flagged = flag.Bool("rewrite", false, "write what came out into the files that expect it; the diff is the review")

// On reports whether files are to be written.
func On() bool { return *flagged }
