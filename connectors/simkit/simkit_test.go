package simkit

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

type line struct {
	N int `json:"n"`
}

func reopen(t *testing.T, path string) (*Log[line], []int, error) {
	t.Helper()
	var got []int
	l, err := OpenLog(path, func(x line, ref *Ref) error { got = append(got, x.N); return nil })
	if err == nil {
		t.Cleanup(func() { l.Close() })
	}
	return l, got, err
}

// What was appended is read again, by its place and after a restart; a torn end is
// cut off and overwritten; damage before it is an error.
func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	l, _, err := reopen(t, path)
	if err != nil {
		t.Fatal(err)
	}
	var refs []*Ref
	for i := range 3 {
		ref, err := l.Append(line{i})
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	if got, err := l.Read(refs[1]); err != nil || got.N != 1 {
		t.Errorf("read %v, %v", got, err)
	}
	l.Close()
	if _, err := l.Append(line{9}); err == nil {
		t.Error("appended after the end")
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(whole, `{"n":`...), 0o600); err != nil {
		t.Fatal(err)
	}
	l, got, err := reopen(t, path)
	if err != nil || fmt.Sprint(got) != "[0 1 2]" {
		t.Fatalf("after a torn line: %v, %v", got, err)
	}
	if _, err := l.Append(line{3}); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, got, err := reopen(t, path); err != nil || fmt.Sprint(got) != "[0 1 2 3]" {
		t.Errorf("after the next line: %v, %v", got, err)
	}
	if err := os.WriteFile(path, append([]byte("x"), whole...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := reopen(t, path); err == nil || !strings.Contains(err.Error(), "at byte 0") {
		t.Errorf("damage: %v", err)
	}
}

// A log in memory is read again; the zero value keeps nothing.
func TestLogWithoutFile(t *testing.T) {
	l := MemoryLog[line]()
	ref, err := l.Append(line{7})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := l.Read(ref); err != nil || got.N != 7 {
		t.Errorf("read %v, %v", got, err)
	}
	var zero Log[line]
	if ref, err = zero.Append(line{7}); err != nil {
		t.Fatal(err)
	}
	if _, err := zero.Read(ref); err == nil {
		t.Error("the zero value kept a line")
	}
}

func TestFaults(t *testing.T) {
	done := make(chan struct{})
	l := NewFaults([]string{"own"}, func(s string) (string, bool) { return "A" + s, s == "1" }, func(f Fault) (bool, error) { return f.Kind == "now", nil })
	var applied atomic.Int32
	mux := http.NewServeMux()
	l.Handle(mux)
	web := httptest.NewServer(Split(mux, func(w http.ResponseWriter, r *http.Request) {
		l.Serve(w, r, r.Header.Get("Account"), done, func(w http.ResponseWriter) { applied.Add(1) }, func(w http.ResponseWriter, f Fault) { w.WriteHeader(f.Status) })
	}))
	defer web.Close()
	do := func(method, path, body, account string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, web.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Account", account)
		res, err := web.Client().Do(req)
		if err != nil {
			return 0, ""
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(b)
	}
	arm := func(want int, body string) {
		t.Helper()
		if got, b := do("POST", "/_sim/faults", body, ""); got != want {
			t.Errorf("%s: %d %s", body, got, b)
		}
	}
	arm(400, `{"kind":"nonsense"}`)
	arm(400, `{"kind":"status"}`)
	arm(400, `{"kind":"drop","pathh":"/a"}`) // would strike everything
	arm(400, `{"kind":"drop","org":"2"}`)
	arm(200, `{"kind":"now"}`)
	arm(200, `{"kind":"own","portal":1,"count":2}`)
	for _, want := range []bool{true, true, false} {
		if _, ok := l.Take("A1", nil, "own"); ok != want {
			t.Errorf("taken %t, want %t", ok, want)
		}
	}
	arm(200, `{"kind":"delay","delay_ms":3600000}`)
	arm(200, `{"kind":"status","status":503,"path":"/a","method":"post","org":"1","retry_after":"7"}`)
	arm(200, `{"kind":"drop","contains":"b"}`)
	arm(200, `{"kind":"status_after_apply","status":500}`)
	arm(200, `{"kind":"drop_after_apply"}`)
	time.AfterFunc(10*time.Millisecond, func() { close(done) }) // ends the delay
	for _, c := range []struct {
		method, path, account string
		status, applied       int
	}{
		{"POST", "/a", "A2", 500, 1}, // the 503 is another account's, the drop another path's
		{"POST", "/ab", "A1", 503, 1},
		{"POST", "/ab", "A1", 0, 1},
		{"POST", "/a", "A1", 0, 2},
		{"POST", "/a", "A1", 200, 3},
	} {
		if got, _ := do(c.method, c.path, "", c.account); got != c.status || int(applied.Load()) != c.applied {
			t.Errorf("%+v: answered %d, %d applied", c, got, applied.Load())
		}
	}
	arm(200, `{"kind":"drop","count":-1}`)
	if _, b := do("GET", "/_sim/faults", "", ""); !strings.Contains(b, `"kind":"drop","count":-1`) {
		t.Errorf("armed: %s", b)
	}
	do("DELETE", "/_sim/faults", "", "")
	if got, _ := do("GET", "/a", "", ""); got != 200 {
		t.Errorf("disarmed: %d", got)
	}
}
