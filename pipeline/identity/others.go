package identity

import (
	"strings"
	"unicode/utf8"
)

// related is how alike two single names must be to be one in two spellings.
const related = 0.6

// Others says that names tell two people apart: both have a first and a last name, in
// letters that can be compared, and no name of one is a name of the other, in another
// spelling or shortened. A mailbox that a team shares has many people behind it; who
// marries, or goes by a short name, keeps one of the two.
func Others(a, b *Person) bool {
	of, as := [2]string{Name(a.First), Name(a.Last)}, [2]string{Name(b.First), Name(b.Last)}
	if of[0] == "" || of[1] == "" || as[0] == "" || as[1] == "" || script(of[0]+of[1]) != script(as[0]+as[1]) {
		return false
	}
	for _, x := range of {
		for _, y := range as {
			if oneName(x, y) {
				return false
			}
		}
	}
	return true
}

func oneName(x, y string) bool {
	if len(x) > len(y) {
		x, y = y, x
	}
	if strings.HasPrefix(y, x) || utf8.RuneCountInString(x) > 2 && strings.Contains(y, x) {
		return true // an initial, or a part of it
	}
	_, ok := alike(x, y, related)
	return ok
}
