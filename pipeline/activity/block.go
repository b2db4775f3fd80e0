package activity

import (
	"strings"
	"unicode/utf8"
)

// startMark begins the block of one call: the text of another call in the same
// description is not ours to replace.
func (b Body) startMark(id string) string { return "--- " + b.name() + " (" + oneLine(id) + ") ---" }

func (b Body) endMark() string { return "--- End of " + b.name() + " ---" }

func (b Body) name() string {
	if b.Name == "" {
		return "Call Log"
	}
	return b.Name
}

// Body is a field of a CRM that holds a long text which people edit, too.
type Body struct {
	Max  int  // characters that it takes, of HTML where it is that; 0 = no limit known
	HTML bool // the field holds HTML
	// Name is what the block is called in its marks; "" = Call Log.
	Name string
	// Marks says that the block has a first and a last line of its own, by which it is
	// known when what people typed stands around it.
	Marks bool
}

func (b Body) encode(text string) string {
	if b.HTML {
		return HTML(text)
	}
	return text
}

func (b Body) lineEnd() string { return b.encode("\n") }

// Block returns the block of a call in the form of the field, in at most n characters;
// "" where the text is empty, or nothing of it has room.
func (b Body) Block(id, text string, n int) string {
	if text = tidy(text); text == "" {
		return ""
	}
	// What looks like our last line would end the block too early.
	head, tail := "", ""
	if b.Marks {
		text = strings.ReplaceAll(text, b.endMark(), strings.Trim(b.endMark(), "-"))
		head, tail = b.encode(b.startMark(id)+"\n"), b.encode("\n"+b.endMark())
	}
	room := n - utf8.RuneCountInString(head) - utf8.RuneCountInString(tail)
	if b.Max > 0 || n > 0 {
		if text = b.cut(text, room); text == "" {
			return ""
		}
	} else {
		text = b.encode(text)
	}
	return head + text + tail
}

// cut encodes as much of a text as has room in n characters, marked where it is not
// all (B28). It never cuts within an entity.
func (b Body) cut(text string, n int) string {
	whole := b.encode(text)
	if utf8.RuneCountInString(whole) <= n {
		return whole
	}
	var out strings.Builder
	size := 0
	for _, r := range text {
		s := b.encode(string(r))
		if size += utf8.RuneCountInString(s); size >= n {
			break
		}
		out.WriteString(s)
	}
	if out.Len() == 0 {
		return ""
	}
	return out.String() + "…"
}

// Merge returns what is to stand in the field: stored, as the CRM has it, with the
// call's block in the place of the one that was written last. Where the block was
// torn, it goes to the end; what a person typed is never taken out.
func (b Body) Merge(stored, was, id, text string) (body, block string) {
	from, to := b.place(stored, was, id)
	rest := stored[:from] + stored[to:]
	n := b.Max
	if n > 0 {
		n -= utf8.RuneCountInString(rest)
		if from == to && b.read(rest) != "" {
			n -= 2 * utf8.RuneCountInString(b.lineEnd())
		}
		if n <= 0 {
			return stored, was // full of what people typed
		}
	}
	block = b.Block(id, text, n)
	switch {
	case block == "" && tidy(text) != "":
		return stored, was
	case b.read(rest) == "":
		return block, block
	case from < to || block == "":
		return stored[:from] + block + stored[to:], block
	}
	return strings.TrimRight(stored, "\r\n") + b.lineEnd() + b.lineEnd() + block, block
}

// place finds the call's block in what the CRM has; an empty place is none.
func (b Body) place(stored, was, id string) (from, to int) {
	if b.read(stored) == "" {
		return 0, len(stored)
	}
	if was != "" {
		if i := strings.Index(stored, was); i >= 0 {
			return i, i + len(was)
		}
	}
	if b.Marks {
		if i := strings.Index(stored, b.encode(b.startMark(id))); i >= 0 {
			if n := strings.Index(stored[i:], b.encode(b.endMark())); n >= 0 {
				return i, i + n + len(b.encode(b.endMark()))
			}
		}
	}
	// The same words in another spelling: an editor rewrites markup, a server line ends.
	if was != "" && b.read(stored) == b.read(was) {
		return 0, len(stored)
	}
	return len(stored), len(stored)
}

func (b Body) read(s string) string {
	if s == "" {
		return ""
	}
	if b.HTML {
		s = Text(s)
	}
	return oneLine(s)
}
