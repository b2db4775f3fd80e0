package identity

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxName bounds a name, in bytes, and maxRunes in letters: what is longer is no name
// and is like none.
const (
	maxName  = 512
	maxRunes = 100
)

// Name is a name in the form in which names are compared: composed (NFC), without case,
// invisible characters and points, with one blank between words. Letters that only look
// like others stay what they are. "" is no name.
func Name(s string) string {
	if len(s) > maxName {
		return ""
	}
	plain := true
	for i := range len(s) {
		plain = plain && (s[i] >= 'a' && s[i] <= 'z')
	}
	if plain {
		return s
	}
	s = norm.NFC.String(cases.Fold().String(norm.NFC.String(strings.ToValidUTF8(s, ""))))
	var b strings.Builder
	gap := false
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Cf, r), r == '.', r == '\'', r == '’', r == 'ʼ', r == '`':
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
			if gap && b.Len() > 0 {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteRune(r)
		default:
			gap = true
		}
	}
	return b.String()
}

// legal are the words at the end of a company's name that say only what kind of company
// it is.
var legal = map[string]bool{"inc": true, "incorporated": true, "llc": true, "ltd": true, "limited": true, "corp": true, "corporation": true,
	"co": true, "company": true, "gmbh": true, "ag": true, "sa": true, "sarl": true, "bv": true, "plc": true, "kg": true}

// Company is a company's name in the form in which companies are compared: as Name,
// without its legal form.
func Company(s string) string {
	ws := strings.Fields(Name(s))
	for len(ws) > 1 && legal[ws[len(ws)-1]] {
		ws = ws[:len(ws)-1]
	}
	return strings.Join(ws, " ")
}

// scripts are those whose letters look like those of another.
var scripts = []*unicode.RangeTable{unicode.Latin, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee}

// script is the set of scripts that a name is written in.
func script(s string) (set int) {
	for _, r := range s {
		if r < unicode.MaxASCII {
			if unicode.IsLetter(r) {
				set |= 1
			}
			continue
		}
		for i, t := range scripts {
			if unicode.Is(t, r) {
				set |= 1 << i
			}
		}
	}
	return set
}

// distance is Levenshtein's between a and b, in letters; ok is false where it is more
// than most. Only a band of that width is filled in, and it ends at the first row that is
// above it.
func distance(a, b []rune, most int) (d int, ok bool) {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > most || most < 0 {
		return 0, false
	}
	far := most + 1
	row := make([]int, len(a)+1)
	for j := range row {
		row[j] = min(j, far)
	}
	for i := 1; i <= len(b); i++ {
		from, to := max(1, i-most), min(len(a), i+most)
		diagonal := row[from-1]
		if from == 1 {
			row[0] = min(i, far)
		} else {
			row[from-1] = far
		}
		least := row[from-1]
		for j := from; j <= to; j++ {
			up := row[j]
			if j == i+most {
				up = far // outside the band in the row before
			}
			v := diagonal
			if a[j-1] != b[i-1] {
				v++
			}
			diagonal = row[j]
			row[j] = min(v, up+1, row[j-1]+1, far)
			least = min(least, row[j])
		}
		if least > most {
			return 0, false
		}
	}
	return row[len(a)], row[len(a)] <= most
}

// alike is how alike two names in Name's form are, from 0 to 1; ok is false where that is
// less than threshold.
func alike(a, b string, threshold float64) (score float64, ok bool) {
	if a == b {
		return 1, true
	}
	x, y := []rune(a), []rune(b)
	longest := max(len(x), len(y))
	if longest > maxRunes || script(a) != script(b) {
		return 0, false // letters of another script only look alike
	}
	// The band is one wider than what the threshold allows: what decides is the score.
	d, ok := distance(x, y, int((1-threshold)*float64(longest))+1)
	if !ok {
		return 0, false
	}
	score = 1 - float64(d)/float64(longest)
	return score, score >= threshold
}
