package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// gone is a context that has ended: a record that is produced with it does not arrive.
func gone(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// A page whose records did not arrive, or that failed, is not marked as read, whatever
// the connector makes of it (P3).
func TestNoMarkerWithoutItsRecords(t *testing.T) {
	f := &fake{do: func(ctx context.Context, at *schemas.Attempt, emit connectors.Emit) connectors.Answer {
		a := connectors.Answer{Page: &connectors.Page{Next: "n"}}
		c := &schemas.CRMChange{Object: "contacts", ID: at.ID, Record: &schemas.RecordRead{}}
		switch at.ID {
		case "1-lost":
			_ = emit(gone(ctx), c) // a connector may overlook it
		case "1-failed":
			a.Result.Error = schemas.ErrTransient
		}
		return a
	}}
	h := newHarness(t, f)
	h.Own(1)
	h.Do(1, []pipeline.Effect{watch("acme")})
	for _, id := range []string{"1-lost", "1-failed", "1-good"} {
		at := attempt(id, "acme", 0)
		at.Kind, at.Page = schemas.KindPage, &schemas.PageRequest{Source: "contacts", Cursor: id}
		h.Do(1, []pipeline.Effect{pipeline.Start{Attempt: at}})
		if r := h.result(id); (r.Error == "") != (id == "1-good") {
			t.Errorf("%s: %+v", id, r)
		}
	}
	h.wait(func(cs []*schemas.CRMChange, _ []*schemas.AttemptResult) bool {
		good := false
		for _, c := range cs {
			if c.PageEnd != nil {
				good = c.PageEnd.AttemptID == "1-good"
				if !good {
					t.Errorf("%s has a marker", c.PageEnd.AttemptID)
				}
			}
		}
		return good
	})
}

// A stream goes on from the last event that Kafka has, not from the last that it gave
// (P3).
func TestAStreamDoesNotPassWhatWasLost(t *testing.T) {
	var mu sync.Mutex
	var from []string
	again := make(chan struct{})
	f := &fake{stream: func(ctx context.Context, epoch int64, cursor string, emit connectors.Emit) error {
		mu.Lock()
		from = append(from, fmt.Sprint(epoch, cursor))
		n := len(from)
		mu.Unlock()
		if n == 2 {
			close(again)
			<-ctx.Done()
			return ctx.Err()
		}
		if err := emit(gone(ctx), &schemas.CRMChange{Object: "Lead", ID: "1", Stream: &schemas.StreamEvent{Epoch: epoch, From: cursor, To: "c1"}}); err == nil {
			t.Error("an event that did not arrive was taken")
		}
		return errors.New("the connection broke")
	}}
	h := newHarness(t, f)
	h.Own(0)
	h.Do(0, []pipeline.Effect{watch("acme")})
	<-again
	mu.Lock()
	defer mu.Unlock()
	if from[1] != "3c0" {
		t.Errorf("the stream began at %q", from)
	}
}
