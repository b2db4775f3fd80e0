package explain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/crmstream/crmstream/pipeline"
)

// NothingError says that the tenant has nothing of that name.
type NothingError string

// Error implements error.
func (e NothingError) Error() string { return string(e) }

// Ask asks the process at address. token is what http.token of the processes refers to;
// "" = there is none, and the process must be on this machine.
func Ask(ctx context.Context, address, token, tenant, what string) (*pipeline.Explanation, error) {
	e := new(pipeline.Explanation)
	if err := get(ctx, address, token, "/api/tenants/"+tenant+"/explain", url.Values{"what": {what}}, e); err != nil {
		return nil, err
	}
	return e, nil
}

// Fields asks the process at address, like Ask, what fields the CRMs of a tenant have.
func Fields(ctx context.Context, address, token, tenant string) (*pipeline.Fields, error) {
	f := new(pipeline.Fields)
	if err := get(ctx, address, token, "/api/tenants/"+tenant+"/fields", nil, f); err != nil {
		return nil, err
	}
	return f, nil
}

func get(ctx context.Context, address, token, path string, q url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	u := url.URL{Scheme: "http", Host: address, Path: path, RawQuery: q.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking the owner at %s: %w", address, errors.Unwrap(err)) // the address has what was asked for
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("asking the owner at %s: %w", address, err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return NothingError(strings.TrimSpace(string(body)))
	default:
		return fmt.Errorf("asking the owner at %s: %s: %s", address, resp.Status, strings.TrimSpace(string(body)))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", address, err)
	}
	return nil
}
