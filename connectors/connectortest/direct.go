package connectortest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync"
)

// Direct is a transport that calls a handler without a network, so that time can be
// a test's own. It keeps the hosts that requests went to. The zero value has no
// handler yet.
type Direct struct {
	http.Handler

	mu    sync.Mutex
	hosts []string
}

// RoundTrip implements http.RoundTripper. A handler that aborts is a connection that
// was lost.
func (d *Direct) RoundTrip(r *http.Request) (res *http.Response, err error) {
	d.mu.Lock()
	d.hosts = append(d.hosts, r.URL.Host)
	d.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p == http.ErrAbortHandler { //nolint:errorlint // it is the value itself
			res, err = nil, errors.New("connection lost")
		} else if p != nil {
			panic(p)
		}
	}()
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil {
		if trace.GotConn != nil {
			trace.GotConn(httptrace.GotConnInfo{})
		}
		if trace.WroteHeaders != nil {
			trace.WroteHeaders()
		}
	}
	r = r.Clone(r.Context())
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// Hosts returns where the requests went, in order.
func (d *Direct) Hosts() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.hosts...)
}
