package connectortest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Sim is a simulator that runs until the test ends.
type Sim struct {
	URL string
	// Client reaches it.
	Client *http.Client

	t *testing.T
}

// Serve starts a simulator on a port of this machine; close ends what it runs in the
// background.
func Serve(t *testing.T, h http.Handler, close func() error) Sim {
	t.Helper()
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	return start(t, Sim{URL: web.URL, Client: &http.Client{Timeout: time.Minute}}, close)
}

// Inside starts a simulator without a port, for a test whose time is its own.
func Inside(t *testing.T, h http.Handler, close func() error) Sim {
	t.Helper()
	return start(t, Sim{URL: "http://simulator", Client: &http.Client{Transport: &Direct{Handler: h}}}, close)
}

func start(t *testing.T, s Sim, close func() error) Sim {
	s.t = t
	t.Cleanup(func() {
		if err := close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Own calls the simulator's own surface: in goes as JSON, the answer into out unless
// it is nil.
func (s Sim) Own(method, path string, in, out any) {
	s.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequest(method, s.URL+"/_sim/"+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := s.Client.Do(req)
	if err != nil { // also from goroutines of a test: never Fatal
		s.t.Error(err)
		return
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		s.t.Errorf("%s %s: %d %s", method, path, res.StatusCode, b)
		return
	}
	if err == nil && out != nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		s.t.Errorf("%s %s: %v in %s", method, path, err, b)
	}
}

// Fault returns a function that arms a fault.
func (s Sim) Fault(f map[string]any) func() {
	return func() { s.Own(http.MethodPost, "faults", f, nil) }
}

// Count is how many records of an object an account has; param names it.
func (s Sim) Count(param, account, object string) int {
	var out struct {
		Count int `json:"count"`
	}
	s.Own(http.MethodGet, "count?"+param+"="+account+"&object="+object, nil, &out)
	return out.Count
}
