package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/crmstream/crmstream/pipeline/pipetest"
	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/pipeline/task"
	"github.com/crmstream/crmstream/state"
)

// P10: what is said of persons is said on this machine, or to who has the token.
func TestExplainIsNotForStrangers(t *testing.T) {
	t.Setenv("EXPLAIN_TOKEN", "a-long-token")
	m, err := pipetest.After("tenant acme sf\n----\n\n09:00:00 crm sf Lead L1 Phone=+14155550100\n----\n")
	if err != nil {
		t.Fatal(err)
	}
	owned := []run.PartitionStatus{{Partition: 0}}
	x := &explainer{partitions: 1, owned: func() []run.PartitionStatus { return owned }, store: func(int32) state.Store { return m.Store() },
		task: m.Task().(task.Explainer), now: time.Now}
	mux := http.NewServeMux()
	mux.Handle("GET /api/tenants/{tenant}/explain", x)
	ask := func(from, path string, headers ...string) (int, string) {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr, r.Host = from, "127.0.0.1:8080"
		for i := 0; i < len(headers); i += 2 {
			if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
				r.Host = headers[i+1]
			}
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	const here, away, of = "127.0.0.1:4000", "192.0.2.7:4000", "/api/tenants/acme/explain?what=%2B14155550100"
	for _, c := range []struct {
		what, token, from, path string
		headers                 []string
		want                    int
	}{
		{"on this machine", "", here, of, nil, 200},
		{"from elsewhere", "", away, of, nil, 401},
		{"through a proxy on this machine", "", here, of, []string{"X-Forwarded-For", "192.0.2.7"}, 401},
		{"by a name that leads here", "", here, of, []string{"Host", "rebound.example:8080"}, 401},
		{"by the name of this machine", "", here, of, []string{"Host", "localhost"}, 200},
		{"with the token", "env:EXPLAIN_TOKEN", away, of, []string{"Authorization", "Bearer a-long-token"}, 200},
		{"with another token", "env:EXPLAIN_TOKEN", away, of, []string{"Authorization", "Bearer a-long-tokem"}, 401},
		{"here, without the token", "env:EXPLAIN_TOKEN", here, of, nil, 401},
		{"a token that can't be read", "env:EXPLAIN_NO_TOKEN", here, of, []string{"Authorization", "Bearer "}, 500},
		{"nobody", "", here, "/api/tenants/acme/explain?what=nobody", nil, 404},
		{"nothing asked", "", here, "/api/tenants/acme/explain", nil, 400},
		{"no tenant", "", here, "/api/tenants/a%20b/explain?what=x", nil, 400},
	} {
		x.token = c.token
		code, body := ask(c.from, c.path, c.headers...)
		if code != c.want || code == 200 != strings.Contains(body, "+14155550100") || strings.Contains(body, "a-long") {
			t.Errorf("%s: %d %s, want %d", c.what, code, body, c.want)
		}
	}
	owned, x.token = nil, ""
	if code, _ := ask(here, of); code != http.StatusMisdirectedRequest {
		t.Errorf("of another process's partition: %d", code)
	}
}
