package conflict

import (
	"testing"

	"github.com/crmstream/crmstream/schemas"
)

func said(v string, at int64, from string) Version {
	return word{from, v, at}.version()
}

func TestDecide(t *testing.T) {
	const t0 = 1_000_000
	d := Held{Version: said("ours", t0, Dialer)}
	a := Held{Version: said("theirs", t0, "a")}
	for _, tc := range []struct {
		what    string
		c       Case
		verdict Verdict
		cause   string
	}{
		{"crm_wins: ours is on its way, and the CRM's is older", Case{Strategy: schemas.CRMWins, Held: d, New: said("theirs", t0-60_000, "a"), Pending: true}, Taken, "crm_wins"},
		{"its counter-example: the CRM had ours, and this is from before", Case{Strategy: schemas.CRMWins, Held: d, New: said("theirs", t0-60_000, "a")}, Kept, ""},
		{"crm_wins: the dialer's is older than what it replaces", Case{Strategy: schemas.CRMWins, Held: a, New: said("ours", t0, Dialer)}, Kept, "crm_wins"},
		{"its counter-example: the dialer's is later and saw the CRM's", Case{Strategy: schemas.CRMWins, Held: a, New: said("ours", t0+1, Dialer)}, Taken, "a later change, no conflict"},
		{"dialer_wins: ours is on its way, and the CRM's is later", Case{Strategy: schemas.DialerWins, Held: d, New: said("theirs", t0+60_000, "a"), Pending: true}, Kept, "dialer_wins"},
		{"its counter-example: the CRM had ours", Case{Strategy: schemas.DialerWins, Held: d, New: said("theirs", t0+60_000, "a")}, Taken, "a later change, no conflict"},
		{"dialer_wins: the dialer's is older", Case{Strategy: schemas.DialerWins, Held: a, New: said("ours", t0-60_000, Dialer)}, Taken, "dialer_wins"},
		{"last_write_wins: by time", Case{Held: d, New: said("theirs", t0+2001, "a"), Pending: true}, Taken, "last_write_wins"},
		{"last_write_wins: clocks differ by so much", Case{Held: d, New: said("theirs", t0-2000, "a"), Pending: true}, Taken, "last_write_wins (clocks within 2 s: CRM by tie)"},
		{"its counter-example: by more", Case{Held: d, New: said("theirs", t0-2001, "a"), Pending: true}, Kept, "last_write_wins"},
		{"B10: two CRMs at the same time: the primary", Case{Held: Held{Version: said("b's", t0, "b")}, New: said("a's", t0-1000, "a"), Pending: true}, Taken, "last_write_wins (clocks within 2 s: a by tie)"},
		{"B10, its counter-example: the other is later by more", Case{Held: Held{Version: said("b's", t0, "b")}, New: said("a's", t0-2001, "a"), Pending: true}, Kept, "last_write_wins"},
		{"B10: of two CRMs neither is the dialer", Case{Strategy: schemas.Manual, Held: a, New: said("b's", t0+9000, "b"), Pending: true}, Taken, "last_write_wins"},
		{"field_merge: one field conflicts", Case{Strategy: schemas.FieldMerge, Held: d, New: said("theirs", t0+9000, "a"), Pending: true}, Taken, "field_merge: last_write_wins"},
		{"manual", Case{Strategy: schemas.Manual, Held: d, New: said("theirs", t0+9000, "a"), Pending: true}, Opened, "manual"},
		{"manual, its counter-example: the CRM had ours", Case{Strategy: schemas.Manual, Held: d, New: said("theirs", t0+9000, "a")}, Taken, "a later change, no conflict"},
		{"B34: an initial load makes no conflict, and a live change beats an older row", Case{Strategy: schemas.CRMWins, Held: d, New: said("theirs", t0-9000, "a"), First: true, Snapshot: true}, Kept, ""},
		{"B34, its counter-example: a row that is later", Case{Strategy: schemas.Manual, Held: d, New: said("theirs", t0+9000, "a"), First: true, Snapshot: true}, Taken, "last_write_wins (initial load)"},
		{"B24: null is a change", Case{Strategy: schemas.CRMWins, Held: d, New: said("", t0+9000, "a"), Pending: true}, Taken, "crm_wins"},
		{"a first word has no common base", Case{Strategy: schemas.CRMWins, Held: d, New: said("theirs", t0-9000, "a"), First: true}, Taken, "crm_wins"},
		{"one side alone: the later", Case{Strategy: schemas.DialerWins, Held: a, New: said("their next", t0, "a")}, Taken, "a later change of the same side"},
		{"one side alone: an earlier one that comes late", Case{Strategy: schemas.CRMWins, Held: a, New: said("their last", t0-1, "a")}, Kept, ""},
		{"P7: a repeat of what lost", Case{Strategy: schemas.DialerWins, Held: Held{Version: a.Version, OverDialer: t0 - 5}, New: said("ours", t0-5, Dialer)}, Kept, ""},
	} {
		t.Run(tc.what, func(t *testing.T) {
			tc.c.Ranks = ranks{}
			out := Decide(&tc.c)
			if out.Verdict != tc.verdict || out.Cause != tc.cause {
				t.Errorf("%v %q, want %v %q", out.Verdict, out.Cause, tc.verdict, tc.cause)
			}
			if out.Verdict == Opened && (out.Held.Value == nil || *out.Held.Value != "ours" || *out.Rival.Value != "theirs") {
				t.Errorf("held %+v, rival %+v", out.Held, out.Rival)
			}
		})
	}
}

// B24: null is a change, but an empty field of a record that is new here is none, under any
// strategy, in any order.
func TestSilent(t *testing.T) {
	for _, strategy := range strategies {
		for _, ws := range [][]word{
			{{"a", "", 1_090_000}, {Dialer, "ours", 1_000_000}},
			{{Dialer, "ours", 1_000_000}, {"a", "", 1_090_000}},
			{{"b", "ours", 1_000_000}, {"a", "", 1_090_000}},
		} {
			w := newWorld(strategy, "a", "b")
			for _, x := range ws {
				w.hear(x)
			}
			if w.dispute != nil || w.value() != "ours" {
				t.Errorf("%q: %v gives %q", strategy, ws, w.value())
			}
		}
		w := newWorld(strategy, "a") // its counter-example: it was there, and is emptied
		w.hear(word{"a", "was there", 1_000_000})
		w.hear(word{"a", "", 1_090_000})
		if w.value() != "" {
			t.Errorf("%q: what was emptied is %q", strategy, w.value())
		}
	}
}

// P7: a CRM that undoes one value again and again ends as a question.
func TestThirdUndoAsks(t *testing.T) {
	w := newWorld(schemas.DialerWins, "a")
	w.hear(word{"a", "rule", 1_000_000})
	w.hear(word{Dialer, "ours", 1_010_000})
	for i := range int64(UndoneMost) {
		if w.dispute != nil {
			t.Fatalf("asked after %d", i)
		}
		w.hear(word{"a", "rule" + string(rune('0'+i)), 1_020_000 + i*10_000})
	}
	if w.dispute == nil || w.value() != "ours" || *w.dispute.Rival.Value != "rule2" {
		t.Fatalf("not asked: %q in force", w.value())
	}
	w.hear(word{"a", "ours", 1_090_000}) // it gives in: nothing is left to decide
	if w.dispute != nil || w.value() != "ours" {
		t.Fatal("still open, though both want the same")
	}
}

func TestResolve(t *testing.T) {
	third := "third"
	for take, want := range map[string]string{TakeCRM: "theirs", TakeDialer: "ours", TakeValue: "third"} {
		d := Dispute{Held: Held{Version: said("ours", 2000, Dialer)}, Rival: said("theirs", 3000, "a")}
		h, ok := d.Resolve(take, &third, 9000)
		if !ok || *h.Value != want {
			t.Errorf("%s: %v %+v", take, ok, h)
		}
		for _, x := range []Version{said("ours", 2000, Dialer), said("theirs", 2999, "a")} { // repeats
			if out := Decide(&Case{Strategy: schemas.CRMWins, Held: h, New: x, Same: alike(x.Value, h.Value), Pending: true, Ranks: ranks{}}); out.Verdict == Taken {
				t.Errorf("%s: a repeat of %s undoes it: %+v", take, *x.Value, out)
			}
		}
	}
	d := Dispute{}
	if _, ok := d.Resolve("both", nil, 0); ok {
		t.Error("both was taken")
	}
}
