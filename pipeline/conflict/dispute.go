package conflict

// UndoneMost is how often a CRM may undo one value before a person is asked: a rule
// there wants something else, and would undo it for ever.
const UndoneMost = 3

// Dispute is a field that waits for a person: the value that is held is the dialer's,
// and is written to no CRM; Rival is what a CRM holds.
type Dispute struct {
	Held  Held
	Rival Version
}

// Hear takes a word of either side while the field waits. same is asked of two values
// in the dialer's form. Closed says that both sides want the same by now; changed that
// one of the two values is another.
func (d *Dispute) Hear(n Version, same func(a, b *string) bool) (changed, closed bool) {
	if n.ours() {
		if n.At < d.Held.At || n.At == d.Held.At && same(n.Value, d.Held.Value) {
			return false, false
		}
		changed = !same(n.Value, d.Held.Value)
		d.Held.Version = n
	} else {
		if n.At < d.Rival.At || n.From != d.Rival.From && same(n.Value, d.Held.Value) {
			return false, false // another CRM that agrees with the dialer decides nothing
		}
		changed = !same(n.Value, d.Rival.Value)
		d.Rival = n
		d.Held.Pass(&n)
	}
	return changed, same(d.Held.Value, d.Rival.Value)
}

// Ways to end a Dispute.
const (
	TakeCRM    = "crm"
	TakeDialer = "dialer"
	TakeValue  = "value"
)

// Resolve ends a dispute by a person's word: Take one of the two, or a third value. now
// is the time of the decision, in ms. ok is false where take is none of the ways.
func (d *Dispute) Resolve(take string, value *string, now int64) (h Held, ok bool) {
	h = d.Held
	h.Pass(&d.Rival)
	switch take {
	case TakeDialer:
	case TakeCRM:
		h = d.Rival.after(h)
	case TakeValue:
		h = Version{Value: value, At: max(now, h.At, h.OverCRM), From: Decided}.after(h)
	default:
		return d.Held, false
	}
	return h, true
}
