package app

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/crmstream/crmstream/pipeline/sync"
	"github.com/crmstream/crmstream/pipeline/task"
)

// fielder answers GET /api/tenants/{tenant}/fields, for those whom the explainer answers.
type fielder struct {
	*explainer
	fields task.Describer
}

func (x *fielder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tenant, p, ok := x.tenant(w, r)
	if !ok {
		return
	}
	f, err := x.fields.Fields(x.store(p), p, x.now().UnixMilli(), tenant)
	switch {
	case errors.Is(err, sync.ErrNobody):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, "the state can't be read", http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(f)
	}
}
