// Package history keeps the Avro text of every released version of every record,
// so that a test can read each of them back with today's reader. A release adds a
// folder; no file in it is ever changed.
package history

import "embed"

// Released holds the released versions: v1/CallEvent.avsc and so on.
//
//go:embed v*/*.avsc
var Released embed.FS
