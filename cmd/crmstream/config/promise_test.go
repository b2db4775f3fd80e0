package config

import (
	"context"
	"strings"
	"testing"
)

// Whatever is wrong with a secret that was found, the error names the reference and
// repeats nothing of the secret (P10).
func TestErrorsNameTheReferenceAlone(t *testing.T) {
	const secret = "s3cr3t"
	t.Setenv("EMPTY", "")
	for ref, names := range map[string]string{
		"file:" + write(t, strings.Repeat(secret, maxSecret)): "file:",
		"file:" + write(t, "\n"):                              "file:",
		"file:" + t.TempDir() + "/none":                       "file:",
		"env:EMPTY":                                           "EMPTY",
		secret:                                                "reference",
		"bearer:" + secret:                                    "reference",
	} {
		got, err := Secret(context.Background(), ref)
		if err == nil || got != "" || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), names) {
			t.Errorf("%.40s: %.200q, %.200v", ref, got, err)
		}
	}
}
