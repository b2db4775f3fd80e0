package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

const (
	cometdPath = "/cometd/59.0"
	// pollTimeout is over the server's 110 s hold.
	pollTimeout = 125 * time.Second
)

// message is one Bayeux message, of either direction.
type message struct {
	ID           string          `json:"id,omitempty"`
	Channel      string          `json:"channel"`
	ClientID     string          `json:"clientId,omitempty"`
	Version      string          `json:"version,omitempty"`
	Minimum      string          `json:"minimumVersion,omitempty"`
	Types        []string        `json:"supportedConnectionTypes,omitempty"`
	Type         string          `json:"connectionType,omitempty"`
	Subscription string          `json:"subscription,omitempty"`
	Ext          json.RawMessage `json:"ext,omitempty"`
	Successful   *bool           `json:"successful,omitempty"`
	Error        string          `json:"error,omitempty"`
	Advice       *advice         `json:"advice,omitempty"`
	Data         json.RawMessage `json:"data,omitempty"`
}

// UnmarshalJSON also takes ids that are numbers: some answers have them.
func (m *message) UnmarshalJSON(b []byte) error {
	type plain message
	aux := struct {
		*plain
		ID json.RawMessage `json:"id"`
	}{plain: (*plain)(m)}
	if err := json.Unmarshal(b, &aux); err != nil {
		return err
	}
	m.ID = strings.Trim(string(aux.ID), `"`)
	return nil
}

type advice struct {
	Reconnect string `json:"reconnect"`
	Interval  int64  `json:"interval"` // ms
}

func (m *message) ok() bool { return m.Successful != nil && *m.Successful }

// reason is why a message failed: the extension's reason is the true one where
// both are there.
func (m *message) reason() string {
	var ext struct {
		SFDC struct {
			FailureReason string `json:"failureReason"`
		} `json:"sfdc"`
	}
	if json.Unmarshal(m.Ext, &ext) == nil && ext.SFDC.FailureReason != "" {
		return ext.SFDC.FailureReason
	}
	return m.Error
}

// session is one Bayeux client: it lives from a handshake until the server forgets
// it. It is used by one goroutine.
type session struct {
	conn   *conn
	rest   *rest.Client
	tok    rest.Token
	client string
	seq    int
	advice advice
}

// newSession shakes hands. Cookies tie the session to its server, so each session
// has a jar of its own. Long polls cost no call of the daily allowance and would
// hold a slot for minutes: they have a client beside the budget.
func (c *conn) newSession(ctx context.Context) (*session, error) {
	tok, err := c.Tokens.Get(ctx, c.Now().Add(30*time.Second))
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	h := http.Client{Jar: jar}
	if c.Env.HTTP != nil {
		h.Transport, h.CheckRedirect = c.Env.HTTP.Transport, c.Env.HTTP.CheckRedirect
	}
	s := &session{conn: c, tok: tok, rest: rest.New(rest.Config{HTTP: &h, Now: c.Env.Now, Timeout: pollTimeout, MaxBody: base.BodyLimit, Log: c.Env.Log})}
	got, err := s.send(ctx, message{Channel: "/meta/handshake", Version: "1.0", Minimum: "1.0", Types: []string{"long-polling"}, Ext: json.RawMessage(`{"replay":true}`)})
	if err != nil {
		return nil, err
	}
	m := answer(got, "/meta/handshake")
	if m == nil || !m.ok() || m.ClientID == "" {
		return nil, s.refused(m)
	}
	s.client = m.ClientID
	return s, nil
}

// subscribe asks for the channel from a replay position on.
func (s *session) subscribe(ctx context.Context, channel, replay string) ([]message, error) {
	if _, err := strconv.ParseInt(replay, 10, 64); err != nil {
		return nil, errLost // not a position of this transport
	}
	ext := json.RawMessage(`{"replay":{"` + channel + `":` + replay + `}}`)
	got, err := s.send(ctx, message{Channel: "/meta/subscribe", ClientID: s.client, Subscription: channel, Ext: ext})
	if err != nil {
		return nil, err
	}
	m := answer(got, "/meta/subscribe")
	if m == nil || !m.ok() {
		if m != nil && strings.HasPrefix(m.reason(), "400::The replayId") {
			return nil, errLost
		}
		return nil, s.refused(m)
	}
	return got, nil
}

// connect is one long poll.
func (s *session) connect(ctx context.Context) ([]message, error) {
	got, err := s.send(ctx, message{Channel: "/meta/connect", ClientID: s.client, Type: "long-polling"})
	if err != nil {
		return nil, err
	}
	m := answer(got, "/meta/connect")
	if m != nil && m.Advice != nil {
		s.advice = *m.Advice
	}
	if m != nil && !m.ok() {
		return got, s.refused(m)
	}
	return got, nil
}

// disconnect lets the server forget the session: concurrent clients are counted.
func (s *session) disconnect() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, _ = s.send(ctx, message{Channel: "/meta/disconnect", ClientID: s.client})
}

func (s *session) send(ctx context.Context, m message) ([]message, error) {
	s.seq++
	m.ID = strconv.Itoa(s.seq)
	body, err := json.Marshal([]message{m})
	if err != nil {
		return nil, err
	}
	res, _, err := s.rest.Do(ctx, time.Time{}, &rest.Request{Method: http.MethodPost, URL: s.tok.Instance + cometdPath, Body: body,
		Header: http.Header{"Authorization": {"Bearer " + s.tok.Access}, "Content-Type": {"application/json"}, "Accept": {"application/json"}}})
	if err != nil {
		return nil, err
	}
	// An error of the REST layer is a list, too.
	var got []message
	if json.Unmarshal(res.Body, &got) == nil && len(got) > 0 && got[0].Channel != "" {
		return got, nil
	}
	e, _ := whole(res, s.conn.Now())
	if res.Status < 300 {
		e = &rest.Error{Class: schemas.ErrTransient, Status: res.Status, Message: "the answer is no Bayeux message"}
	}
	if e.Class == schemas.ErrAuth {
		s.conn.Tokens.Refused(s.tok)
	}
	return nil, e
}

func answer(ms []message, channel string) *message {
	for i := range ms {
		if ms[i].Channel == channel {
			return &ms[i]
		}
	}
	return nil
}

// refused classifies a failed meta message. A refused token is dropped.
func (s *session) refused(m *message) error {
	if m == nil {
		return &rest.Error{Class: schemas.ErrTransient, Message: "the answer lacks the message that was asked for"}
	}
	why := m.reason()
	code, _, _ := strings.Cut(why, "::")
	e := &rest.Error{Class: schemas.ErrTransient, Code: code, Message: rest.Redact(why, s.tok.Access)}
	switch {
	case code == "401":
		s.conn.Tokens.Refused(s.tok)
		e.Class = schemas.ErrAuth
	case strings.HasPrefix(why, "403::Unknown client"), strings.Contains(why, "cookie"): // a new session mends it
	case strings.Contains(why, "limit"):
		e.Class, e.RetryAfter = schemas.ErrThrottled, time.Minute
	case code == "403", code == "400":
		e.Class = schemas.ErrForbidden
	}
	return e
}
