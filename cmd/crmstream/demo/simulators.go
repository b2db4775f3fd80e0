package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	hssim "github.com/crmstream/crmstream/connectors/hubspot/sim"
	sfsim "github.com/crmstream/crmstream/connectors/salesforce/sim"
)

// simulators are the two CRMs of the demo, each on a port.
type simulators struct {
	sf, hs       *http.Server
	sfURL, hsURL string
	closers      []func() error
	ended        chan error
	running      int
}

func startSimulators(dir, sfListen, hsListen string, w *world) (_ *simulators, err error) {
	s := &simulators{ended: make(chan error, 2)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	sf, err := sfsim.New(sfsim.Config{Dir: filepath.Join(dir, "salesforce"), Orgs: w.orgs()})
	if err != nil {
		return nil, fmt.Errorf("starting the Salesforce simulator: %w", err)
	}
	s.closers = append(s.closers, sf.Close)
	hs, err := hssim.New(hssim.Config{Dir: filepath.Join(dir, "hubspot"), Portals: w.portals(),
		WebhookRetry: []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}})
	if err != nil {
		return nil, fmt.Errorf("starting the HubSpot simulator: %w", err)
	}
	s.closers = append(s.closers, hs.Close)
	if s.sf, s.sfURL, err = s.serve(sfListen, sf.Handler()); err != nil {
		return nil, err
	}
	if s.hs, s.hsURL, err = s.serve(hsListen, hs.Handler()); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *simulators) serve(addr string, h http.Handler) (*http.Server, string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, "", fmt.Errorf("starting a simulator: %w", err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 3 * time.Minute, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	s.running++
	go func() { s.ended <- srv.Serve(l) }()
	return srv, "http://" + l.Addr().String(), nil
}

// Close ends both.
func (s *simulators) Close() error {
	var err error
	for _, srv := range []*http.Server{s.sf, s.hs} {
		if srv != nil {
			err = errors.Join(err, srv.Close())
		}
	}
	for range s.running {
		<-s.ended
	}
	for _, c := range s.closers {
		err = errors.Join(err, c())
	}
	return err
}

// simClient speaks to the simulators' own surface, over HTTP like anybody.
type simClient struct{ http *http.Client }

func (c simClient) call(ctx context.Context, method, u string, body, into any) error {
	var rd io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		rd = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, u, rd)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 256<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.300s", method, u, resp.Status, b)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(b, into)
}

// write edits or creates a record as a user of the CRM does, and returns its id.
func (c simClient) write(ctx context.Context, t *tenant, id string, fields map[string]string) (string, error) {
	var out struct {
		ID json.RawMessage `json:"id"`
	}
	body := map[string]any{"object": t.personObject(), "id": id}
	if id == "" {
		delete(body, "id")
	}
	if t.provider == salesforce {
		vs := make(map[string]any, len(fields))
		for k, v := range fields {
			vs[k] = v
		}
		body["org"], body["fields"] = t.account, vs
	} else {
		body["portal"], body["properties"] = t.portal(), fields
	}
	if err := c.call(ctx, http.MethodPost, t.url+"/_sim/write", body, &out); err != nil {
		return "", err
	}
	return unquote(out.ID), nil
}

func unquote(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// records returns every record of an object, as flat fields with the id under
// "id".
func (c simClient) records(ctx context.Context, t *tenant, object string) ([]map[string]string, error) {
	if t.provider == salesforce {
		return c.salesforceRecords(ctx, t, object)
	}
	return c.hubspotRecords(ctx, t, object)
}

const pageSize = 1000

func (c simClient) salesforceRecords(ctx context.Context, t *tenant, object string) ([]map[string]string, error) {
	var all []map[string]string
	for offset := 0; ; offset += pageSize {
		q := url.Values{"org": {t.account}, "object": {object}, "limit": {strconv.Itoa(pageSize)}, "offset": {strconv.Itoa(offset)}}
		var page json.RawMessage
		if err := c.call(ctx, http.MethodGet, t.url+"/_sim/records?"+q.Encode(), nil, &page); err != nil {
			return nil, err
		}
		rows, err := rowsOf(page)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			flat := make(map[string]string)
			for k, v := range r {
				flat[k] = plain(v)
			}
			flat["id"] = flat["Id"]
			all = append(all, flat)
		}
		if len(rows) < pageSize {
			return all, nil
		}
	}
}

func (c simClient) hubspotRecords(ctx context.Context, t *tenant, object string) ([]map[string]string, error) {
	var all []map[string]string
	for after := ""; ; {
		q := url.Values{"portal": {t.account}, "object": {object}, "limit": {strconv.Itoa(pageSize)}}
		if after != "" {
			q.Set("after", after)
		}
		var page json.RawMessage
		if err := c.call(ctx, http.MethodGet, t.url+"/_sim/records?"+q.Encode(), nil, &page); err != nil {
			return nil, err
		}
		rows, err := rowsOf(page)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			flat := map[string]string{}
			if props, ok := r["properties"].(map[string]any); ok {
				for k, v := range props {
					flat[k] = plain(v)
				}
			}
			flat["id"] = plain(r["id"])
			if a, ok := r["associations"]; ok {
				b, err := json.Marshal(a)
				if err != nil {
					return nil, err
				}
				flat["associations"] = string(b)
			}
			after = flat["id"]
			all = append(all, flat)
		}
		if len(rows) < pageSize {
			return all, nil
		}
	}
}

// rowsOf takes a page as a list, or as an object that holds one under "records" or
// "results".
func rowsOf(page json.RawMessage) ([]map[string]any, error) {
	var rows []map[string]any
	if err := json.Unmarshal(page, &rows); err == nil {
		return rows, nil
	}
	var wrapped struct {
		Records []map[string]any `json:"records"`
		Results []map[string]any `json:"results"`
	}
	if err := json.Unmarshal(page, &wrapped); err != nil {
		return nil, fmt.Errorf("reading what the simulator holds: %w", err)
	}
	return append(wrapped.Records, wrapped.Results...), nil
}

func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return fmt.Sprint(v)
}

// requests is the number of requests that the CRM counts, by kind; long polls are
// none.
func (c simClient) requests(ctx context.Context, t *tenant) (map[string]int, error) {
	param := "org"
	if t.provider != salesforce {
		param = "portal"
	}
	var out struct {
		Counts map[string]int `json:"counts"`
	}
	if err := c.call(ctx, http.MethodGet, t.url+"/_sim/requests?"+param+"="+t.account, nil, &out); err != nil {
		return nil, err
	}
	delete(out.Counts, "cometd")
	return out.Counts, nil
}
