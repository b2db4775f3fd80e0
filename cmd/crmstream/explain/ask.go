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
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	u := url.URL{Scheme: "http", Host: address, Path: "/api/tenants/" + tenant + "/explain", RawQuery: url.Values{"what": {what}}.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the owner at %s: %w", address, errors.Unwrap(err)) // the address has what was asked for
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("asking the owner at %s: %w", address, err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, NothingError(strings.TrimSpace(string(body)))
	default:
		return nil, fmt.Errorf("asking the owner at %s: %s: %s", address, resp.Status, strings.TrimSpace(string(body)))
	}
	e := new(pipeline.Explanation)
	if err := json.Unmarshal(body, e); err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", address, err)
	}
	return e, nil
}
