// Package embedded is the broker and the registry in the process: franz-go's kfake
// with its data on disk, behind a listener that turns strangers away, and the
// Confluent API beside it, on ports that any client can use.
//
// It is the one place that knows kfake's limits: what an unclean end leaves
// behind, which versions foreign clients cannot read, which bytes end it. The
// shell learns of boots by the topic crmstream.boot alone.
package embedded
