package run

import "strings"

// place returns the line of a stack at which a panic began: the first of ours
// below the runtime's own.
func place(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	panicked := false
	for _, l := range lines {
		if strings.HasPrefix(l, "panic(") {
			panicked = true
			continue
		}
		l = strings.TrimSpace(l)
		if !panicked || !strings.Contains(l, ".go:") || strings.Contains(l, "/runtime/") {
			continue
		}
		if i := strings.LastIndexByte(l, '/'); i >= 0 {
			if j := strings.LastIndexByte(l[:i], '/'); j >= 0 {
				i = j
			}
			l = l[i+1:]
		}
		l, _, _ = strings.Cut(l, " ")
		return l
	}
	return "an unknown place"
}
