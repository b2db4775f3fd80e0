package pipeline

import "github.com/crmstream/crmstream/schemas"

// ScriptCutOff is the error of a Step or a Tick in which a tenant's script was cut off
// by a limit of the process, of time or memory: another run of the same input might
// get further, so that going on from here would make what a replay can't repeat (P9).
// The shell drops the whole batch, produces Action to control.actions, and runs the
// batch again once that action has been applied, which is before it: from then on the
// script is not run. Not a Reject: no record is given up.
type ScriptCutOff struct {
	Tenant string
	Script string // the script's key: the same for the same text
	Line   string // the mapping that has it, for people
	Why    string
}

// Error implements error.
func (e *ScriptCutOff) Error() string {
	return "tenant " + e.Tenant + ": the script of " + e.Line + ": " + e.Why
}

// Action is the input that quarantines the script. Its id is the script's, so that
// repeats of it do nothing.
func (e *ScriptCutOff) Action(now int64) *schemas.ControlAction {
	return &schemas.ControlAction{ActionID: "script-" + e.Script, Kind: schemas.ActionScriptQuarantined, At: now, By: "crmstream",
		Fields: []schemas.Field{schemas.Text("line", e.Line), schemas.Text("script", e.Script), schemas.Text("why", e.Why)}}
}
