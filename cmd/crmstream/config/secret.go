package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxSecret bounds what is read as a secret: a private key fits many times.
const maxSecret = 64 << 10

// IsReference reports whether s refers to a secret: env:NAME or file:PATH.
func IsReference(s string) bool {
	kind, rest, ok := strings.Cut(s, ":")
	return ok && rest != "" && (kind == "env" || kind == "file")
}

// Secret resolves a reference at use. P10: its errors name the reference, never what was
// found.
func Secret(_ context.Context, ref string) (string, error) {
	kind, rest, _ := strings.Cut(ref, ":")
	switch {
	case !IsReference(ref):
		return "", errors.New("a secret must be a reference: env:NAME or file:PATH")
	case kind == "env":
		v, ok := os.LookupEnv(rest)
		if !ok || v == "" {
			return "", fmt.Errorf("the environment variable %s is not set", rest)
		}
		return v, nil
	}
	f, err := os.Open(rest)
	if err != nil {
		return "", fmt.Errorf("reading secret %s: %w", ref, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("reading secret %s: %w", ref, err)
	}
	if len(b) > maxSecret {
		return "", fmt.Errorf("reading secret %s: over %d bytes", ref, maxSecret)
	}
	v := strings.TrimRight(string(b), "\r\n")
	if v == "" {
		return "", fmt.Errorf("reading secret %s: it is empty", ref)
	}
	return v, nil
}
