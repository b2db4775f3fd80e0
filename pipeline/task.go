package pipeline

// Task is what a partition does with its input: a pure function of the record and
// the Tx. One Task value serves all partitions, possibly at once: it holds no
// state of its own but caches that can be thrown away.
type Task interface {
	// Step applies one record. An error that is a *Reject gives up this record
	// alone; so does a panic (P5).
	Step(tx *Tx, in *Record) error
	// Tick fires one timer, which has been deleted already.
	Tick(tx *Tx, tm Timer) error
	// Resume is called once for each owned partition, after it has been restored and
	// crm.results has been applied up to where it stood at the assignment: it
	// repeats what may be repeated, and tells the host of every account.
	Resume(tx *Tx) error
}

// Version names the rules that a task applies. It stands in every journal entry: a
// replay is compared only with a run of the same version.
const Version = "1"
