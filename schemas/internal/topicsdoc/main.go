// Command topicsdoc writes docs/topics.md from the topic catalogue and the Avro
// texts, so that the page cannot say what the code does not do. It is run by
// `go generate ./schemas/...`; a test fails when the page is stale.
package main

import (
	"fmt"
	"os"
)

//go:generate go run . ../../../docs/topics.md

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: topicsdoc FILE")
		os.Exit(2)
	}
	page, err := Render()
	if err == nil {
		err = os.WriteFile(os.Args[1], page, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "topicsdoc:", err)
		os.Exit(1)
	}
}
