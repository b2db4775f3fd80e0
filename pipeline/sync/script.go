package sync

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// scripts runs the scripts of one tenant in one transaction: not those that are
// quarantined.
type scripts struct {
	s     *Sync
	tx    *pipeline.Tx
	t     state.Tenant
	lines *mapping.Compiled
	// cutOff is set once a script was cut off: nothing of this work may be kept.
	cutOff *pipeline.ScriptCutOff
}

var (
	errQuarantined = errors.New("it is switched off, since it took too long or too much memory: mend it and apply the configuration again")
	errNoScripts   = errors.New("this process runs no scripts")
)

// Run implements mapping.Scripts.
func (x *scripts) Run(src string, value *string) (*string, error) {
	if x.s.scripts == nil {
		return nil, errNoScripts
	}
	key := scriptKey(src)
	if _, off, err := x.tx.Store.Get(x.t.Key(kindScript, key)); err != nil {
		return nil, err
	} else if off {
		return nil, errQuarantined
	}
	out, err := x.s.scripts.Run(src, value)
	if errors.Is(err, mapping.ErrCutOff) && x.cutOff == nil {
		x.cutOff = &pipeline.ScriptCutOff{Tenant: x.t.Name(), Script: key, Line: x.lines.ScriptOf(src), Why: err.Error()}
	}
	return out, err
}

// scriptKey names a script by its text: once that was changed, it is another one.
func scriptKey(src string) string {
	sum := sha256.Sum256([]byte(src))
	return hex.EncodeToString(sum[:8])
}

// ended is the error of a work: that a script was cut off goes before any other, since
// what came after it may not be decided.
func (w *world) ended(err error) error {
	if w.scripts != nil && w.scripts.cutOff != nil {
		return w.scripts.cutOff
	}
	return err
}

// quarantine switches a script off. That it was cut off is an input from now on, and is
// decided the same at a replay (P9).
func (w *world) quarantine(a *schemas.ControlAction) error {
	key := said(a, "script")
	if len(key) != 16 {
		return pipeline.Rejectf(schemas.ReasonInvalid, "the field script is to be the key of a script")
	}
	w.setText(kindScript, key, said(a, "why"))
	return nil
}
