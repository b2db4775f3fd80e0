package explain_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmstream/crmstream/cmd/crmstream/explain"
	"github.com/crmstream/crmstream/internal/rewrite"
	"github.com/crmstream/crmstream/pipeline/pipetest"
	"github.com/crmstream/crmstream/pipeline/task"
)

const page = "../../../docs/operating.md"

// question is a block of the page: a command, and its answer.
var question = regexp.MustCompile("(?m)^```\n\\$ crmstream explain acme (\\S+)(?: --field (\\S+))?\n((?s:.*?))```\n")

// The answers in docs/operating.md are those that the program gives after the script in
// testdata.
func TestTheAnswersOnThePage(t *testing.T) {
	script, err := os.ReadFile("testdata/desk.txt")
	if err != nil {
		t.Fatal(err)
	}
	m, err := pipetest.After(string(script))
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	got := question.ReplaceAllStringFunc(string(src), func(block string) string {
		asked++
		g := question.FindStringSubmatch(block)
		e, err := m.Task().(task.Explainer).Explain(m.Store(), 0, m.Now, "acme", g[1])
		head, _, _ := strings.Cut(strings.TrimPrefix(block, "```\n"), "\n")
		if err != nil {
			return fmt.Sprintf("```\n%s\ncrmstream: %v\n```\n", head, err)
		}
		var out bytes.Buffer
		if ok, err := (&explain.Answer{Explanation: e}).Print(&out, g[2]); err != nil || !ok {
			t.Errorf("%s: %v, %v", head, ok, err)
		}
		return fmt.Sprintf("```\n%s\n%s```\n", head, out.String())
	})
	if asked < 5 {
		t.Errorf("%d questions on the page, want at least five", asked)
	}
	if rewrite.On() {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(src), got); d != "" {
		t.Errorf("docs/operating.md (- on the page, + said; renew with go test ./cmd/crmstream/explain -rewrite):\n%s", d)
	}
}
