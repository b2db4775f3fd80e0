// Package deploycheck holds tests of what the deploy files say, as far as a machine
// without a container daemon can tell: the compose file against the compose
// specification, its configuration against ours, its broker settings against those
// that the tests run with. It holds nothing else.
package deploycheck
