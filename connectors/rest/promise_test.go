package rest

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// What a request carries in its query and its headers stands in no error and no log
// line, whether an answer came or not (P10).
func TestNoErrorOrLogRepeatsARequest(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	for name, base := range map[string]string{"answered": srv.URL, "nobody there": away.URL, "no URL": "http://\x00"} {
		var log bytes.Buffer
		c := New(Config{Base: base, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		said := ""
		_, _, err := c.Do(t.Context(), time.Time{}, &Request{Method: http.MethodGet, Path: "/x", Query: url.Values{"q": {"s3cr3t"}}, Header: http.Header{"Authorization": {"Bearer s3cr3t"}}})
		if err != nil {
			said = err.Error()
		}
		if (err == nil) != (name == "answered") || strings.Contains(said+log.String(), "s3cr3t") {
			t.Errorf("%s: %q, log %q", name, said, log.String())
		}
	}
}
