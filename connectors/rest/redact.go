package rest

import (
	"regexp"
	"strings"
)

// Redacted stands where a secret stood.
const Redacted = "[redacted]"

const maxMessage = 500 // bytes of a stranger's words that are kept

var secretForms = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]+-----.*?(-----END [A-Z ]+-----|$)`), Redacted},
	{regexp.MustCompile(`(?i)\b(bearer|oauth|basic)\s+[^\s"',;]+`), "$1 " + Redacted},
	{regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*`), Redacted},
	{regexp.MustCompile(`\b00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]+`), Redacted},
	{regexp.MustCompile(`\bpat-[a-z0-9]+-[A-Za-z0-9-]{8,}`), Redacted},
	{regexp.MustCompile(`(?i)("?\b(?:access_token|refresh_token|id_token|client_secret|assertion|code_verifier|password|hapikey|api_?key)"?\s*[=:]\s*"?)[^\s"'&,;}]+`), "${1}" + Redacted},
	{regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+`), "[email]"},
}

// Redact returns s without the given secrets, without what has the form of one and
// without e-mail addresses, cut to 500 bytes (P10).
func Redact(s string, secrets ...string) string {
	for _, x := range secrets {
		if len(x) >= 4 {
			s = strings.ReplaceAll(s, x, Redacted)
		}
	}
	for _, f := range secretForms {
		s = f.re.ReplaceAllString(s, f.with)
	}
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}
