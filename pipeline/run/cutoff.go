package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// cutOffs returns the scripts that were cut off, by partition; those batches have not
// failed for another reason.
func cutOffs(batches map[int32]*batch) map[int32]*pipeline.ScriptCutOff {
	var all map[int32]*pipeline.ScriptCutOff
	for p, b := range batches {
		var c *pipeline.ScriptCutOff
		if errors.As(b.failed, &c) {
			if all == nil {
				all = make(map[int32]*pipeline.ScriptCutOff)
			}
			all[p], b.failed = c, nil
		}
	}
	return all
}

// quarantine makes inputs of what a clock has decided (P9): a script that was cut off is
// switched off by an action, and until that is applied its partition goes on with
// control topics alone. The action is not fenced: it says what happened, whoever owns
// the partition by now, and a repeat of it does nothing.
func (s *session) quarantine(ctx context.Context, mine map[int32]*owned, cut map[int32]*pipeline.ScriptCutOff) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	for p, c := range cut {
		action := c.Action(s.r.cfg.Now().UnixMilli())
		value, err := s.r.cfg.Codec.Append(nil, schemas.TopicControlActions, action)
		if err != nil {
			return fmt.Errorf("switching a script off: %w", err)
		}
		rec := &kgo.Record{Topic: schemas.TopicControlActions, Partition: p, Key: []byte(c.Tenant + "/" + action.ActionID), Value: value}
		if err := s.plain.ProduceSync(ctx, rec).FirstErr(); err != nil {
			return fmt.Errorf("switching a script off: %w", err)
		}
		mine[p].awaits = rec.Offset + 1
		s.r.metrics.cutOffs.Inc()
		s.r.cfg.Log.Warn("a script was cut off and is switched off: the tenant's admin must mend it", "tenant", c.Tenant, "mapping", c.Line, "why", c.Why)
	}
	return nil
}

// controlled reports whether the action that the partition waits for was applied.
func (o *owned) controlled() bool {
	if o.pos.Next[schemas.TopicControlActions] >= o.awaits {
		o.awaits = 0
	}
	return o.awaits == 0
}
