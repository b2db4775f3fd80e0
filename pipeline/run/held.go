package run

import "sync"

// held is what this member's group membership says is its own: the anchor's
// partitions of the newest assignment, each with the number of the assignment that
// brought it. It is told by the balancer, at every join and every sync.
//
// The client's callbacks alone are no measure: between a revoke and the next End, a
// transactional session passes on no other.
type held struct {
	mu    sync.Mutex
	count uint64
	since map[int32]uint64
	// changed is called after something was taken, without the lock.
	changed func()
}

func newHeld(changed func()) *held {
	return &held{since: make(map[int32]uint64), changed: changed}
}

// joining says what the member still claims when it joins: after a loss, nothing.
func (h *held) joining(claimed []int32) { h.keep(claimed, false) }

// synced says what the member was given.
func (h *held) synced(assigned []int32) { h.keep(assigned, true) }

func (h *held) keep(ps []int32, add bool) {
	h.mu.Lock()
	want := make(map[int32]bool, len(ps))
	for _, p := range ps {
		want[p] = true
	}
	took := false
	for p := range h.since {
		if !want[p] {
			delete(h.since, p)
			took = true
		}
	}
	if add {
		h.count++
		for p := range want {
			if _, ok := h.since[p]; !ok {
				h.since[p] = h.count
			}
		}
	}
	h.mu.Unlock()
	if took {
		h.changed()
	}
}

// forget takes partitions away.
func (h *held) forget(ps []int32) {
	h.mu.Lock()
	for _, p := range ps {
		delete(h.since, p)
	}
	h.mu.Unlock()
	h.changed()
}

// assignment returns the number of the assignment that brought a partition; ok is
// false if it is not held.
func (h *held) assignment(p int32) (number uint64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	number, ok = h.since[p]
	return number, ok
}

// size is the number of partitions.
func (h *held) size() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.since)
}

// all lists the partitions.
func (h *held) all() []int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	ps := make([]int32, 0, len(h.since))
	for p := range h.since {
		ps = append(ps, p)
	}
	return ps
}
