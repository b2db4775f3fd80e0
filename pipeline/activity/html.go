package activity

import (
	"html"
	"regexp"
	"strings"
)

// HTML returns a text as HTML of the same lines: what a rep typed must not become
// markup.
func HTML(text string) string {
	return strings.ReplaceAll(html.EscapeString(tidyEnds(text)), "\n", "<br>")
}

func tidyEnds(s string) string {
	if !strings.Contains(s, "\r") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

var (
	lineEnds = regexp.MustCompile(`(?i)(<br\s*/?>|</p>|</div>|</li>|</h[1-6]>)\n?`)
	tags     = regexp.MustCompile(`</?[A-Za-z][^<>]*>`)
)

// Text returns what a person reads of HTML: breaks and the ends of paragraphs are line
// ends, other markup is gone. Text(HTML(s)) is s.
func Text(markup string) string {
	return html.UnescapeString(tags.ReplaceAllString(lineEnds.ReplaceAllString(markup, "\n"), ""))
}
