package app

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/pipeline/sync"
	"github.com/crmstream/crmstream/pipeline/task"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// explainer answers GET /api/tenants/{tenant}/explain?what=…: what it says is of
// persons, so it is for callers on this machine, or with the installation's token.
type explainer struct {
	token      string // reference; "" = there is none
	partitions int32
	owned      func() []run.PartitionStatus
	store      func(int32) state.Store
	task       task.Explainer
	now        func() time.Time
}

func (x *explainer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tenant, p, ok := x.tenant(w, r)
	if !ok {
		return
	}
	what := r.FormValue("what")
	if what == "" || len(what) > 1000 {
		http.Error(w, "ask with what=…", http.StatusBadRequest)
		return
	}
	e, err := x.task.Explain(x.store(p), p, x.now().UnixMilli(), tenant, what)
	switch {
	case errors.Is(err, sync.ErrNobody):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, "the state can't be read", http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(e)
	}
}

// tenant returns whom a request is about, and its partition, which is this process's; ok is
// false where the request was answered.
func (x *explainer) tenant(w http.ResponseWriter, r *http.Request) (tenant string, partition int32, ok bool) {
	w.Header().Set("Cache-Control", "no-store")
	switch err := x.allowed(r); {
	case errors.Is(err, errStranger):
		http.Error(w, "what is asked for is a tenant's own: ask on the machine itself, or with the token of http.token", http.StatusUnauthorized)
		return "", 0, false
	case err != nil:
		http.Error(w, "http.token can't be read", http.StatusInternalServerError)
		return "", 0, false
	}
	tenant = r.PathValue("tenant")
	if !schemas.ValidTenant(tenant) {
		http.Error(w, "ask with the name of a tenant", http.StatusBadRequest)
		return "", 0, false
	}
	partition = schemas.PartitionOf(tenant, x.partitions)
	if !slices.ContainsFunc(x.owned(), func(s run.PartitionStatus) bool { return s.Partition == partition }) {
		http.Error(w, "the tenant's partition is another process's", http.StatusMisdirectedRequest)
		return "", 0, false
	}
	return tenant, partition, true
}

// loopback reports whether HOST:PORT or HOST is an address of this machine's own.
func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

var errStranger = errors.New("neither on this machine nor with the token")

// allowed lets in who bears the token, or, where there is none, who asks from this
// machine.
func (x *explainer) allowed(r *http.Request) error {
	if x.token == "" {
		// A proxy on this machine speaks for others, and so does a browser that was led here
		// by another name of this address.
		if !loopback(r.RemoteAddr) || !loopback(r.Host) || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
			return errStranger
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	want, err := config.Secret(ctx, x.token)
	if err != nil {
		return err
	}
	got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || want == "" || subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return errStranger
	}
	return nil
}
