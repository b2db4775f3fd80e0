// Command avscgen writes schemas/avsc from the Go types of package schemas and
// their comments, so that type and text cannot drift apart. It is run by
// `go generate ./schemas`; a test fails when the files are stale.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	files, err := Generate(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "avscgen:", err)
		os.Exit(1)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "avsc", name+".avsc"), []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "avscgen:", err)
			os.Exit(1)
		}
	}
}
