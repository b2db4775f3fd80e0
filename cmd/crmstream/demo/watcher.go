package demo

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// watcher asks the processes over and over what they hold. Two of them believe in one
// partition at one time if one says so between two answers of another that has held it
// all along.
type watcher struct {
	c    *crashTest
	mu   sync.Mutex
	seen map[belief]time.Time // when it was last said
	bad  map[string]bool
	// dead is when a process was killed and not every partition has been held since.
	dead    time.Time
	held    map[int32]time.Time // by partition, when it was last said to be held
	longest time.Duration
}

// belief is a partition that a process got by one assignment of one session.
type belief struct {
	process    string
	partition  int32
	assignment uint64
	session    int64
	started    int64
}

func newWatcher(c *crashTest) *watcher {
	return &watcher{c: c, seen: make(map[belief]time.Time), bad: make(map[string]bool), held: make(map[int32]time.Time)}
}

// run asks until ctx ends.
func (w *watcher) run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, r := range w.c.runs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				asked := time.Now()
				actx, cancel := context.WithTimeout(ctx, 2*time.Second)
				st, err := w.c.status(actx, r)
				cancel()
				if err != nil {
					continue // it is down, or stopped
				}
				for _, p := range st.Partitions {
					w.said(belief{r.name, p.Partition, p.Assignment, st.Session, st.Started}, asked)
				}
			}
		}()
	}
	wg.Wait()
}

// said notes an answer to a question that was asked at a time.
func (w *watcher) said(b belief, asked time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if before, ok := w.seen[b]; ok {
		for other, at := range w.seen {
			// The other said so after our last answer, and before this question was asked.
			if other.partition == b.partition && other.process != b.process && at.After(before) && at.Before(asked) {
				w.bad[fmt.Sprintf("partition %d: %s and %s", b.partition, b.process, other.process)] = true
			}
		}
	}
	w.seen[b] = now
	w.held[b.partition] = asked
	if w.dead.IsZero() {
		return
	}
	for _, at := range w.held {
		if at.Before(w.dead) {
			return
		}
	}
	w.longest = max(w.longest, now.Sub(w.dead))
	w.dead = time.Time{}
}

// killed notes that a process is killed now.
func (w *watcher) killed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead.IsZero() {
		w.dead = time.Now()
	}
}

// takeOver is how long the others may take at most.
const takeOver = 30 * time.Second

// whole waits until every partition has been held again since the last kill.
func (w *watcher) whole(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, takeOver)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		w.mu.Lock()
		done := w.dead.IsZero()
		w.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after a kill, not every partition was held again: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func (w *watcher) report() (believers []string, failoverMS int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	believers = []string{}
	for b := range w.bad {
		believers = append(believers, b)
	}
	return believers, w.longest.Milliseconds()
}
