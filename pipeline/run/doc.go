// Package run is the Kafka shell of a pipeline.Task: exactly-once transactions,
// one owner per partition, changelog, journal, restore, and the hand-over of
// effects.
//
// In: a task, a store, a codec, brokers. Out: each input record applied once to
// state and outputs, in one transaction with the positions; effects handed to the
// host after the commit.
//
// Kept here: an effect leaves only after the commit (P1); the store gets committed
// state only (P2); no input vanishes, a bad one takes down itself alone (P5); the
// journal says what each transaction was made of, and Replay runs it again (P9); a
// partition is touched only by the member that owns and has restored it, and every
// commit is fenced by the group's generation (P12).
//
// On the embedded broker, which can tear a commit apart when it is killed, the
// outputs of the last transaction stand in the changelog too and are produced again
// after an unclean boot: at least once, and readers drop repeats by the header
// crmstream.source.
//
// What may not live here: any rule of sync or delivery, any CRM.
package run
