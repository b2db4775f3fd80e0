// Package task composes sync and deliver into one pipeline.Task: sync says what
// should be written, deliver takes it and says what came to an end, sync learns of
// it. Both work on one store, in one transaction.
package task
