package activity

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is a fact that the CRM has no field for: it stands in the text by its name.
type Line struct{ Name, Value string }

// Notes are what the text of a call is made from. What is empty or nil has no place in
// it.
type Notes struct {
	Notes     string // what the rep wrote
	Summary   string // by machine
	KeyPoints []string
	NextSteps []string
	Duration  *int32   // s
	Score     *float64 // from 0 to 100
	Sentiment string
	// TalkRatioAgent is how much of the talking the agent did, in percent.
	TalkRatioAgent *float64
	Lines          []Line
}

// Structured returns the notes under headings.
func (n *Notes) Structured() string {
	var parts []string
	add := func(heading, text string) {
		if text == "" {
			return
		}
		if heading != "" {
			text = "--- " + heading + " ---\n" + text
		}
		parts = append(parts, text)
	}
	add("", tidy(n.Notes))
	add("", n.lines())
	add("Call Summary (AI Generated)", tidy(n.Summary))
	add("Key Points", list("- ", n.KeyPoints))
	add("Next Steps", list("- [ ] ", n.NextSteps))
	// The length alone has a field of its own, and needs no heading.
	if n.rated() {
		add("Call Metrics", n.metrics())
	}
	return strings.Join(parts, "\n\n")
}

// Plain returns the notes without headings: what people wrote, then what was summed
// up, then a line for each fact.
func (n *Notes) Plain() string {
	var parts []string
	for _, p := range []string{tidy(n.Notes), tidy(n.Summary), list("- ", n.KeyPoints), list("- [ ] ", n.NextSteps), n.lines()} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if n.rated() {
		parts = append(parts, n.metrics())
	}
	return strings.Join(parts, "\n\n")
}

// rated says that somebody, or something, rated the call.
func (n *Notes) rated() bool {
	return n.Score != nil || oneLine(n.Sentiment) != "" || n.TalkRatioAgent != nil
}

func (n *Notes) lines() string {
	var out []string
	for _, l := range n.Lines {
		if v := oneLine(l.Value); v != "" {
			out = append(out, l.Name+": "+v)
		}
	}
	return strings.Join(out, "\n")
}

func (n *Notes) metrics() string {
	var first, out []string
	if n.Duration != nil {
		first = append(first, "Duration: "+Length(*n.Duration))
	}
	if n.Score != nil {
		first = append(first, "AI Score: "+Score(*n.Score)+"/100")
	}
	if s := oneLine(n.Sentiment); s != "" {
		r, size := utf8.DecodeRuneInString(s)
		first = append(first, "Sentiment: "+string(unicode.ToUpper(r))+s[size:])
	}
	if len(first) > 0 {
		out = append(out, strings.Join(first, " | "))
	}
	if n.TalkRatioAgent != nil {
		agent := int(math.Round(min(max(*n.TalkRatioAgent, 0), 100)))
		out = append(out, fmt.Sprintf("Talk Ratio: Agent %d%% / Prospect %d%%", agent, 100-agent))
	}
	return strings.Join(out, "\n")
}

// Length is a number of seconds as m:ss; the minutes run on beyond an hour.
func Length(seconds int32) string { return fmt.Sprintf("%d:%02d", seconds/60, seconds%60) }

// Score is a score with at most one digit after the point, as people read it.
func Score(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// list puts each item on a line of its own; what an item is marked with already is
// not doubled, and a step that is done stays done.
func list(mark string, items []string) string {
	var out []string
	for _, it := range items {
		it = oneLine(it)
		done := false
		for _, m := range []string{"- [ ] ", "- [x] ", "- [X] ", "- ", "* ", "• "} {
			// A mark alone has lost its blank, and marks nothing.
			if rest, ok := strings.CutPrefix(it+" ", m); ok {
				it, done = strings.TrimSpace(rest), strings.EqualFold(m, "- [x] ")
				break
			}
		}
		switch {
		case it == "":
		case done && mark == "- [ ] ":
			out = append(out, "- [x] "+it)
		default:
			out = append(out, mark+it)
		}
	}
	return strings.Join(out, "\n")
}

func oneLine(s string) string { return strings.Join(strings.Fields(printable(s)), " ") }

// tidy brings line ends into one form, and takes the blanks from both ends and what nobody
// can read out.
func tidy(s string) string {
	return strings.TrimSpace(printable(tidyEnds(s)))
}

// printable is a text without what is no text: CRMs refuse control characters, or drop them
// without a word, and what stands there would not be what was written. Other ends of lines
// are line ends.
func printable(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case !unprintable(r):
			return r
		case r == '\v', r == '\f', r == '\u0085', r == '\u2028', r == '\u2029':
			return '\n'
		}
		return -1
	}, s)
}

func unprintable(r rune) bool {
	return r != '\n' && r != '\r' && r != '\t' && unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r&0xfffe == 0xfffe
}
