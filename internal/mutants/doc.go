// Command mutants breaks each promise on purpose and expects the tests that
// docs/promises.md names for it to notice. `make mutants` runs it.
//
// In: the table of mutants (promise, file, a text that stands there once, what stands
// there instead, the tests) and the working tree. Out: a line per mutant, killed by
// which test in what time; status 1 if one survives, does not compile, ends its test
// in another way than by failing it, or is of a text that is gone.
//
// A mutant is built beside the code, by the compiler's overlay: nothing in the working
// tree is written. Each test is run unmutated first, so that a test that fails anyway
// kills nothing.
//
// What can be checked without building is a test of this package: that every text
// stands once, that every test of the page breaks for a mutant, and that a mutant
// names none but those. It must never count a mutant as killed by a test that the page
// does not name.
package main
