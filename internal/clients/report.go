package main

import (
	"fmt"
	"os"
	"strings"
)

// result is one line of a client's program.
type result struct {
	step   string
	ok     bool
	detail string
}

// report is what one client did.
type report struct {
	client  string
	results []result
	skipped string // why it was not tried
	ended   string // how its program ended, if not well
}

// parse reads "ok STEP: …" and "failed STEP: …"; other lines are none.
func parse(line string) (result, bool) {
	word, rest, _ := strings.Cut(line, " ")
	if word != "ok" && word != "failed" {
		return result{}, false
	}
	name, detail, found := strings.Cut(rest, ":")
	if !found || strings.Contains(name, " ") {
		return result{}, false
	}
	return result{name, word == "ok", strings.TrimSpace(detail)}, true
}

// outcome is one cell of the table: what came of a step, against what was expected.
type outcome struct {
	cell   string // "yes", "no", "-", "skipped"
	wrong  string // expected and not so: the status is 1
	better string // works, though it is said not to: the table is to be mended
}

func (r report) outcome(step string, embedded bool) outcome {
	want := expect(r.client, step, embedded)
	if want.word == "" {
		return outcome{cell: "-"}
	}
	if r.skipped != "" {
		return outcome{cell: "skipped"}
	}
	for _, got := range r.results {
		switch {
		case got.step != step:
		case got.ok && want.word == "no":
			return outcome{cell: "yes", better: fmt.Sprintf("%s: %s works, docs/clients.md says that it does not", r.client, step)}
		case !got.ok && want.word == "yes":
			return outcome{cell: "NO", wrong: fmt.Sprintf("%s: %s: %s", r.client, step, got.detail)}
		case got.ok:
			return outcome{cell: "yes"}
		default:
			return outcome{cell: "no"}
		}
	}
	wrong := fmt.Sprintf("%s: %s was not reached", r.client, step)
	if r.ended != "" {
		wrong += ": " + r.ended
	}
	return outcome{cell: "NO", wrong: wrong}
}

// verdict prints the table and returns the status of the process.
func verdict(reports []report, embedded bool) int {
	head := []string{"step"}
	for _, r := range reports {
		head = append(head, r.client)
	}
	rows := [][]string{head}
	var wrong, better []string
	for _, s := range steps {
		row := []string{s.name}
		for _, r := range reports {
			o := r.outcome(s.name, embedded)
			row = append(row, o.cell)
			if o.wrong != "" {
				wrong = append(wrong, o.wrong)
			}
			if o.better != "" {
				better = append(better, o.better)
			}
		}
		rows = append(rows, row)
	}
	fmt.Printf("\n%s", aligned(rows))
	tried := 0
	for _, r := range reports {
		if r.skipped != "" {
			fmt.Printf("%s was skipped: %s\n", r.client, r.skipped)
			continue
		}
		tried++
	}
	for _, b := range better {
		fmt.Println(b)
	}
	for _, w := range wrong {
		fmt.Fprintln(os.Stderr, "clients:", w)
	}
	switch {
	case len(wrong) > 0:
		return 1
	case tried == 0:
		fmt.Fprintln(os.Stderr, "clients: no client could be tried")
		return 3
	default:
		return 0
	}
}

func aligned(rows [][]string) string {
	var width []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], len(cell))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&line, "%-*s  ", width[i], cell)
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return out.String()
}

// expectedTable is the table of docs/clients.md.
func expectedTable() string {
	var out strings.Builder
	out.WriteString("| step |")
	rule := "|---|"
	for _, c := range clients {
		fmt.Fprintf(&out, " %s |", c.title)
		rule += "---|"
	}
	fmt.Fprintf(&out, "\n%s\n", rule)
	var notes []string
	for _, s := range steps {
		fmt.Fprintf(&out, "| %s |", s.text)
		for _, c := range clients {
			e := expect(c.name, s.name, true)
			word := e.word
			if e.why != "" {
				notes = note(notes, e.why)
				word = fmt.Sprintf("no (%d)", position(notes, e.why))
			}
			if word == "" {
				word = "–"
			}
			fmt.Fprintf(&out, " %s |", word)
		}
		out.WriteString("\n")
	}
	out.WriteString("\n")
	for i, why := range notes {
		fmt.Fprintf(&out, "%d. %s.\n", i+1, why)
	}
	return out.String()
}

func note(notes []string, why string) []string {
	if position(notes, why) > 0 {
		return notes
	}
	return append(notes, why)
}

func position(notes []string, why string) int {
	for i, n := range notes {
		if n == why {
			return i + 1
		}
	}
	return 0
}
