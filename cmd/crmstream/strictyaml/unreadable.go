package strictyaml

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// Bounds of one document: the parser's time grows with the square of what stands in one
// mapping, and nobody writes as much by hand. A file may have any number of documents.
const (
	mostBytes = 256 << 10
	mostLines = 5000
)

const keepOne = "keep one of them"

// unreadable says what keeps a file from being parsed at all.
func unreadable(file string, src []byte) (m Mistake, ok bool) {
	if !utf8.Valid(src) || bytes.IndexByte(src, 0) >= 0 {
		return Mistake{File: file, What: "the file is no text in UTF-8", Mend: "save it as UTF-8"}, true
	}
	first, lines, size, n := 1, 0, 0, 0
	for line := range bytes.Lines(src) {
		n++
		if bytes.HasPrefix(line, []byte("---")) {
			first, lines, size = n+1, 0, 0
			continue
		}
		lines, size = lines+1, size+len(line)
		if lines > mostLines || size > mostBytes {
			return Mistake{File: file, Line: first, Column: 1, What: fmt.Sprintf("the document has more than %d lines or %d KiB", mostLines, mostBytes>>10),
				Mend: "one document for each tenant, with a line of --- between them"}, true
		}
	}
	return Mistake{}, false
}

// plainly says in a writer's words what the parser says in its own, and how to mend it.
func plainly(what string) (plain, mend string) {
	switch {
	case strings.Contains(what, "'\t'"):
		return "a tab where blanks are expected", "indent by blanks, never by tabs"
	case strings.HasPrefix(what, "mapping key ") && strings.Contains(what, " already defined at "):
		key, at, _ := strings.Cut(strings.TrimPrefix(what, "mapping key "), " already defined at ")
		return key + " stands here twice, first at " + strings.Trim(at, "[]"), keepOne
	}
	return "it can't be read as YAML: " + what, "look at the quotes, brackets and blanks of this line and of the one before"
}

// alias refuses what stands for another part of the document: how much it makes of a few
// letters has no bound.
func (d *decoder) alias(n ast.Node) {
	d.wrong(n, "write it out", "references (*NAME and <<) are not read here")
}
