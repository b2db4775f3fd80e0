package pipeline

import "github.com/crmstream/crmstream/schemas"

// Effect is something that the shell hands to the host after the commit (P1).
type Effect interface{ effect() }

// Start asks the host to carry out one attempt. Its answer comes on crm.results.
type Start struct{ Attempt *schemas.Attempt }

// Watch tells the host the present configuration of one account: from now on
// attempts of it may come, and where Stream is set its pushed changes are wanted,
// from the cursor on. A later Watch replaces an earlier one; the host keeps a
// running stream if the account is unchanged.
type Watch struct {
	Tenant        string
	Account       schemas.Account
	ConfigVersion int64
	// Epoch and Cursor are the stream's position in state; Cursor "" with Epoch 0 is
	// a stream that never ran.
	Epoch  int64
	Cursor string
}

// Unwatch tells the host that an account is gone.
type Unwatch struct {
	Tenant   string
	Provider string
}

func (Start) effect()   {}
func (Watch) effect()   {}
func (Unwatch) effect() {}

// Effects carries out what was decided. The host implements it; the shell calls
// it from its loop, so no method may block.
type Effects interface {
	// Own says that this member owns the partition and has restored it. Effects of
	// the partition follow.
	Own(partition int32)
	// Disown ends everything of the partition that has not left yet: attempts still
	// waiting to be sent are dropped, streams stopped. What has left is awaited and
	// its result still produced: a late one teaches ids.
	Disown(partition int32)
	// Do hands over the effects of one committed transaction, in order. Open
	// attempts are capped by the task, so there is always room.
	Do(partition int32, effects []Effect)
}
