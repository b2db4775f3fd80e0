package sim

// Serves POST /cometd/{version} and the same with the meta channel appended (/cometd/59.0/connect): the Bayeux frames.
//
// Deviations: long polling only, as there; sfdc-stream is Secure only over TLS, and only BAYEUX_BROWSER is demanded back, because a
// jar returns no Secure cookie to plain HTTP; no daily delivery limit; a version below 37.0 is refused with a text of ours; no
// acknowledge extension, so events in an answer that gets lost must be replayed, as there.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	maxFrame      = 1 << 20
	maxMessages   = 100 // of one request
	browserCookie = "BAYEUX_BROWSER"
)

// bayeux is one message of a client.
type bayeux struct {
	Channel         string          `json:"channel"`
	ID              json.RawMessage `json:"id,omitempty"`
	ClientID        string          `json:"clientId"`
	ConnectionType  string          `json:"connectionType"`
	ConnectionTypes []string        `json:"supportedConnectionTypes"`
	Subscription    json.RawMessage `json:"subscription"` // a channel or a list of them
	Advice          *struct {
		Timeout *int64 `json:"timeout"` // ms
	} `json:"advice"`
	Ext struct {
		Replay json.RawMessage `json:"replay"` // true at the handshake, a map of channels at a subscribe
	} `json:"ext"`
}

// parseBayeux reads a request body: an array of messages, or one message.
func parseBayeux(body []byte) ([]bayeux, error) {
	var msgs []bayeux
	body = bytes.TrimSpace(body)
	if len(body) > 0 && body[0] == '{' {
		msgs = make([]bayeux, 1)
		return msgs, json.Unmarshal(body, &msgs[0])
	}
	if err := json.Unmarshal(body, &msgs); err != nil {
		return nil, err
	}
	if len(msgs) == 0 || len(msgs) > maxMessages {
		return nil, errors.New("expected 1 to 100 messages")
	}
	return msgs, nil
}

// channels lists the subscription's channels.
func (m *bayeux) channels() []string {
	var one string
	if json.Unmarshal(m.Subscription, &one) == nil {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(m.Subscription, &many) != nil || len(many) > maxMessages {
		return nil
	}
	return many
}

// replayFrom is the replay id asked for a channel; -1 when none is.
func (m *bayeux) replayFrom(channel string) (int64, bool) {
	var byChannel map[string]json.Number
	if len(m.Ext.Replay) == 0 || json.Unmarshal(m.Ext.Replay, &byChannel) != nil {
		return -1, true
	}
	n, ok := byChannel[channel]
	if !ok {
		return -1, true
	}
	id, err := n.Int64()
	return id, err == nil
}

// reply is one message to a client.
type reply map[string]any

func (m *bayeux) reply() reply {
	r := reply{"channel": m.Channel, "successful": true}
	if len(m.ID) > 0 {
		r["id"] = m.ID
	}
	return r
}

func (m *bayeux) fail(text string, advice reply) reply {
	r := m.reply()
	r["successful"], r["error"] = false, text
	if advice != nil {
		r["advice"] = advice
	}
	return r
}

// comet is one HTTP request on the endpoint.
type comet struct {
	s      *Server
	o      *org
	ses    *session
	w      http.ResponseWriter
	r      *http.Request
	cookie string // BAYEUX_BROWSER
}

func (s *Server) serveComet(w http.ResponseWriter, r *http.Request, version string) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFrame))
	var msgs []bayeux
	if err == nil {
		msgs, err = parseBayeux(body)
	}
	if err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	o, ses := s.authenticate(r)
	c := &comet{s: s, o: o, ses: ses, w: w, r: r}
	if ck, err := r.Cookie(browserCookie); err == nil {
		c.cookie = ck.Value
	}
	out := []byte{'['}
	old := false
	if v, err := strconv.ParseFloat(version, 64); err != nil || v < 37 {
		old = true
	}
	for i := range msgs {
		var b []byte
		if old {
			b, err = json.Marshal(msgs[i].fail("400::The API version in the URI {"+version+"} is not supported", reply{"reconnect": "none"}))
		} else {
			b, err = c.answer(r.Context(), &msgs[i], len(msgs) == 1)
		}
		if err != nil {
			if r.Context().Err() == nil { // else the client has gone, and nothing was taken from its queue
				s.log.Error("cometd", "error", err)
				http.Error(w, "Internal Server Error", http.StatusInternalServerError)
			}
			return
		}
		if len(b) > 0 && i > 0 {
			out = append(out, ',')
		}
		out = append(out, b...)
	}
	writeRaw(w, http.StatusOK, append(out, ']'))
}

// answer serves one message and returns its replies, joined by commas.
func (c *comet) answer(ctx context.Context, m *bayeux, alone bool) ([]byte, error) {
	if bearer(c.r) == "" {
		return json.Marshal(m.fail("401::Request requires authentication", reply{"reconnect": "none"}))
	}
	if c.ses == nil {
		return json.Marshal(m.unauthenticated())
	}
	switch m.Channel {
	case "/meta/handshake":
		return json.Marshal(c.handshake(m))
	case "/meta/connect":
		return c.connect(ctx, m, alone)
	case "/meta/subscribe":
		return c.eachChannel(m, c.subscribe)
	case "/meta/unsubscribe":
		return c.eachChannel(m, c.unsubscribe)
	case "/meta/disconnect":
		return json.Marshal(c.disconnect(m))
	}
	return json.Marshal(m.fail("403::Publishing on channel {"+m.Channel+"} is not allowed", nil))
}

// unauthenticated is the reply to a token that is dead: a handshake is denied with the reason in ext, any other message plainly.
func (m *bayeux) unauthenticated() reply {
	if m.Channel == "/meta/handshake" {
		return m.denied("401::Authentication invalid")
	}
	r := m.fail("401::Authentication invalid", reply{"reconnect": "none", "interval": 0})
	r["clientId"] = m.ClientID
	return r
}

func (m *bayeux) denied(reason string) reply {
	r := m.fail("403::Handshake denied", reply{"reconnect": "none"})
	r["ext"] = reply{"sfdc": reply{"failureReason": reason}}
	return r
}

// lost is the reply to a client the server does not know (any more). It comes with a new stream cookie.
func (c *comet) lost(m *bayeux) reply {
	c.streamCookie()
	return m.fail("403::Unknown client", reply{"interval": 0, "reconnect": "handshake"})
}

func (c *comet) eachChannel(m *bayeux, serve func(*bayeux, string) reply) ([]byte, error) {
	channels := m.channels()
	if len(channels) == 0 {
		return json.Marshal(m.fail("403::Subscription missing", nil))
	}
	var out []byte
	for i, ch := range channels {
		b, err := json.Marshal(serve(m, ch))
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, b...)
	}
	return out, nil
}

// setCookies gives a client its cookies. Their values hold characters that must come back byte by byte.
func (c *comet) setCookies(browser string) {
	http.SetCookie(c.w, &http.Cookie{Name: "BrowserId", Value: randomText(8) + "-" + randomText(11), Path: "/", Expires: time.Now().AddDate(1, 0, 0)})
	http.SetCookie(c.w, &http.Cookie{Name: "t", Value: "!" + randomText(24) + "+/=", Path: "/cometd/"})
	http.SetCookie(c.w, &http.Cookie{Name: browserCookie, Value: browser, Path: "/cometd/", HttpOnly: true})
	c.streamCookie()
}

func (c *comet) streamCookie() {
	ck := &http.Cookie{Name: "sfdc-stream", Value: "!" + randomText(40) + "/+" + randomText(20) + "==", Path: "/", Expires: time.Now().Add(3 * time.Hour)}
	if c.r.TLS != nil {
		ck.Secure, ck.SameSite = true, http.SameSiteNoneMode
	}
	http.SetCookie(c.w, ck)
}
