// Package mem is the reference store: obviously right, in memory, gone with the
// process. Tests and replays use it; disk/ must behave like it.
package mem
