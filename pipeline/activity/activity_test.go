package activity

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

func TestStructured(t *testing.T) {
	seconds, score, ratio := int32(342), 87.0, 38.4
	n := Notes{Notes: " Asked for a demo.\r\n", Summary: "Spoke with John about their current billing software pain points.\nHe is frustrated.",
		KeyPoints: []string{"Currently using CompetitorX, contract expires Q2", "* Budget authority\nconfirmed", ""},
		NextSteps: []string{"Send case study", "- [ ] Schedule demo", "- [x] Invite SE"}, Duration: &seconds, Score: &score, Sentiment: "positive", TalkRatioAgent: &ratio,
		Lines: []Line{{"Rep", "Ann Lee"}, {"From", ""}}}
	want := `Asked for a demo.

Rep: Ann Lee

--- Call Summary (AI Generated) ---
Spoke with John about their current billing software pain points.
He is frustrated.

--- Key Points ---
- Currently using CompetitorX, contract expires Q2
- Budget authority confirmed

--- Next Steps ---
- [ ] Send case study
- [ ] Schedule demo
- [x] Invite SE

--- Call Metrics ---
Duration: 5:42 | AI Score: 87/100 | Sentiment: Positive
Talk Ratio: Agent 38% / Prospect 62%`
	if got := n.Structured(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := (&Notes{Duration: &seconds}).Structured(); got != "" {
		t.Errorf("a length alone is %q", got)
	}
	if got := (&Notes{Notes: "a", Score: &score, Lines: []Line{{"To", "1"}}}).Plain(); got != "a\n\nTo: 1\n\nAI Score: 87/100" {
		t.Errorf("plain: %q", got)
	}
}

func TestLength(t *testing.T) {
	for seconds, want := range map[int32]string{0: "0:00", 59: "0:59", 342: "5:42", 3661: "61:01"} {
		if got := Length(seconds); got != want {
			t.Errorf("%d s: %s", seconds, got)
		}
	}
}

// What a rep typed comes back as it was, whatever it looks like.
func TestHTMLReversed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := tidyEnds(rapid.String().Draw(t, "text"))
		if got := Text(HTML(s)); got != s {
			t.Fatalf("%q became %q", s, got)
		}
	})
	if got := Text("<div>a<br/>b</div>\n<p class=\"x\">c &amp; d</p>"); got != "a\nb\nc & d\n" {
		t.Errorf("an editor's markup: %q", got)
	}
}

// Whatever stands around our block stays, in any form, however often the block changes.
func TestMergeKeepsWhatPeopleTyped(t *testing.T) {
	word := rapid.StringMatching(`[a-z<&>" \n-]{0,40}`)
	rapid.Check(t, func(t *rapid.T) {
		b := Body{HTML: rapid.Bool().Draw(t, "html"), Marks: rapid.Bool().Draw(t, "marks"), Max: rapid.SampledFrom([]int{0, 400}).Draw(t, "max")}
		before, after := b.encode(word.Draw(t, "before")), b.encode(word.Draw(t, "after"))
		if b.read(before+after) == "" { // blanks are nobody's words
			before, after = "", ""
		}
		text := func(name string) string { return rapid.StringMatching(`[A-Z]{1,10}[A-Z<&>\n ]{0,600}`).Draw(t, name) }
		first := text("first")
		stored, block := b.Merge("", "", "c1", first)
		stored = before + stored + after
		if b.Max > 0 && utf8.RuneCountInString(stored) > b.Max { // the CRM would not take it
			stored = stored[:len(stored)-len(after)]
			after = ""
			if utf8.RuneCountInString(stored) > b.Max {
				t.Skip("no room for what people typed")
			}
		}
		for range 3 {
			var was string
			was, stored = stored, ""
			stored, block = b.Merge(was, block, "c1", text("next"))
			if !strings.HasPrefix(stored, before) || !strings.HasSuffix(stored, after) {
				t.Fatalf("of %q and %q was made %q", before, after, stored)
			}
			if n := utf8.RuneCountInString(stored); b.Max > 0 && n > b.Max {
				t.Fatalf("%d characters, at most %d fit", n, b.Max)
			}
			if block == "" || strings.Count(stored, block) != 1 {
				t.Fatalf("the block %q is in %q", block, stored)
			}
		}
	})
}

func TestMerge(t *testing.T) {
	b := Body{Marks: true}
	block := func(s string) string { return b.Block("c1", s, 0) }
	for _, c := range []struct {
		name           string
		b              Body
		stored, was    string
		text, wantBody string
	}{
		{"nothing stands there", b, " \n", "", "x", block("x")},
		{"word by word", b, "a\n" + block("x") + "\nb", block("x"), "y", "a\n" + block("y") + "\nb"},
		{"by its marks, with a word typed into it", b, "a\n" + block("x typed") + "\nb", block("x"), "y", "a\n" + block("y") + "\nb"},
		{"the last line is gone", b, "a\n" + strings.TrimSuffix(block("x"), "\n"+b.endMark()) + " typed", block("x"), "y",
			"a\n--- Call Log (c1) ---\nx typed\n\n" + block("y")},
		{"another call's", b, strings.ReplaceAll(block("x"), "c1", "c2"), block("x"), "y", strings.ReplaceAll(block("x"), "c1", "c2") + "\n\n" + block("y")},
		{"taken out", b, "a\n" + block("x") + "\nb", block("x"), "", "a\n\nb"},
		{"taken out of nothing else", Body{Marks: true, HTML: true}, "<p>" + Body{Marks: true, HTML: true}.Block("c1", "x", 0) + "</p>", "", "", ""},
		{"an editor wrote it anew", Body{HTML: true}, "<p>x &amp; y</p><p>z</p>", "x &amp; y<br>z", "new", "new"},
		{"full", Body{Marks: true, Max: 60}, strings.Repeat("r", 60), "", "y", strings.Repeat("r", 60)},
		{"nearly full", Body{Marks: true, Max: 60}, strings.Repeat("r", 8), "", "abcdefgh", "rrrrrrrr\n\n--- Call Log (c1) ---\nabc…\n--- End of Call Log ---"},
	} {
		if got, _ := c.b.Merge(c.stored, c.was, "c1", c.text); got != c.wantBody {
			t.Errorf("%s: %q, want %q", c.name, got, c.wantBody)
		}
	}
	if got := b.Block("c1", "quoted: --- End of Call Log ---", 0); strings.Count(got, b.endMark()) != 1 {
		t.Errorf("what looks like our last line ends the block: %q", got)
	}
}

func TestPolicy(t *testing.T) {
	n := func(s int32) *int32 { return &s }
	p := Policy{SkipKinds: []string{"missed"}, SkipDirections: []string{"inbound"}, MinSeconds: 5}
	for _, c := range []struct {
		kind, direction string
		seconds         *int32
		skips           bool
	}{
		{"", "outbound", n(5), false}, {"", "outbound", n(4), true}, {"", "outbound", nil, false}, {"Missed", "outbound", n(9), true},
		{"", "inbound", n(9), true}, {"voicemail", "outbound", n(9), false},
	} {
		if got := p.Skips(c.kind, c.direction, c.seconds); (got != "") != c.skips {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if got := (Policy{}).Skips("missed", "inbound", n(0)); got != "" {
		t.Errorf("without a policy: %q", got)
	}
}

func TestOutcome(t *testing.T) {
	d := &profile.Disposition{Field: "D", Max: 6, Defaults: []profile.DispositionDefault{{Label: "No Answer", Fields: []schemas.Field{schemas.Text("D", "none"), schemas.Text("S", "done")}}}}
	rules := []schemas.DispositionRule{{Provider: "x", Label: "Demo", Fields: []schemas.Field{schemas.Text("A", "1")}}, {Provider: "x", Label: "Quiet", Fields: []schemas.Field{{Name: "D"}}},
		{Provider: "other", Label: "No Answer", Fields: []schemas.Field{schemas.Text("D", "theirs")}}}
	ids := func(label string) (string, bool, error) { return "id-" + label, label == "none", nil }
	listed := *d
	listed.Listed = true
	for _, c := range []struct {
		d      *profile.Disposition
		label  string
		want   string
		mapped bool
	}{
		{d, "no-answer", "D=none S=done", true}, {d, " demo ", "A=1 D=demo", true}, {d, "Quiet", "D=", true}, {d, "Wonderful", "D=Wonde…", true}, {d, "", "", true},
		{&listed, "No Answer", "D=id-none S=done", true}, {&listed, "Wonderful", "", false}, {&listed, "Demo", "A=1", false},
	} {
		fields, mapped, err := Outcome(c.d, "x", rules, c.label, ids)
		var got []string
		for _, f := range fields {
			v := ""
			if f.Value != nil {
				v = *f.Value
			}
			got = append(got, f.Name+"="+v)
		}
		if s := strings.Join(got, " "); s != c.want || mapped != c.mapped || err != nil {
			t.Errorf("%q: %s %v %v, want %s %v", c.label, s, mapped, err, c.want, c.mapped)
		}
	}
	if *rules[0].Fields[0].Value != "1" || len(rules[0].Fields) != 1 {
		t.Error("a rule was changed")
	}
}
