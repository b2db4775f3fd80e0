package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors/simkit"
)

const (
	maxClients       = 2000
	maxDelivered     = 1000    // events in one answer
	maxDeliveredSize = 4 << 20 // bytes of them, roughly
)

// cometClient is one Bayeux client. The org's mutex guards it.
type cometClient struct {
	id, browser string
	subs        map[string]*subscription // by channel
	connected   bool                     // its first connect has been answered
	polls       int                      // connects being held
	replied     time.Time                // when it was last answered
	wake        chan struct{}            // closed to end the held connect
}

// subscription is a place in the stream of events.
type subscription struct {
	obj   *object // nil: all
	after int64   // replay id of the last event delivered
}

// client finds the client of a message, or the reply to one that is not there. The org's mutex is held.
func (c *comet) client(m *bayeux) (*cometClient, reply) {
	cl := c.o.clients[m.ClientID]
	if cl != nil && cl.gone(c.s) {
		delete(c.o.clients, m.ClientID)
		cl = nil
	}
	switch {
	case cl == nil:
		return nil, c.lost(m)
	case c.cookie == "":
		return nil, m.fail("400::Client "+m.ClientID+" has established a session, but no "+browserCookie+" cookie present", nil)
	case c.cookie != cl.browser:
		return nil, c.lost(m)
	}
	return cl, nil
}

// gone reports whether the client stayed away longer than it may.
func (cl *cometClient) gone(s *Server) bool {
	return cl.polls == 0 && s.now().Sub(cl.replied) > s.cfg.ClientExpiry
}

func (c *comet) handshake(m *bayeux) reply {
	if len(m.ConnectionTypes) > 0 && !slices.Contains(m.ConnectionTypes, "long-polling") {
		return m.fail("400::Invalid connection type {"+strings.Join(m.ConnectionTypes, ",")+"}", reply{"reconnect": "none"})
	}
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	maps.DeleteFunc(c.o.clients, func(_ string, cl *cometClient) bool { return cl.gone(c.s) })
	if len(c.o.clients) >= maxClients {
		return m.denied("403::Organization concurrent user limit exceeded")
	}
	cl := &cometClient{id: strings.ToLower(randomText(28)), browser: strings.ToLower(randomText(20)), subs: map[string]*subscription{}, replied: c.s.now()}
	c.o.clients[cl.id] = cl
	c.setCookies(cl.browser)
	r := m.reply()
	r["ext"] = reply{"replay": true, "payload.format": true}
	r["minimumVersion"], r["version"] = "1.0", "1.0"
	r["supportedConnectionTypes"] = []string{"long-polling"}
	r["clientId"] = cl.id
	return r
}

func (c *comet) subscribe(m *bayeux, channel string) reply {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	cl, fail := c.client(m)
	if fail != nil {
		return fail
	}
	cl.replied = c.s.now()
	refuse := func(text string) reply {
		r := m.fail(text, nil)
		r["clientId"], r["subscription"] = cl.id, channel
		return r
	}
	obj, ok := c.o.channelObject(channel)
	if !ok {
		return refuse("400::The channel you requested to subscribe to doesn't exist {" + channel + "}")
	}
	from, ok := m.replayFrom(channel)
	after := from
	switch {
	case from == -1:
		after = c.o.lastReplay
	case from == -2:
		after = 0
	case !ok || !c.o.retained(from) || c.o.struck("invalid_replay"):
		return refuse(fmt.Sprintf("400::The replayId {%d} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.", from))
	}
	cl.subs[channel] = &subscription{obj: obj, after: after}
	r := m.reply()
	r["clientId"], r["subscription"] = cl.id, channel
	return r
}

func (c *comet) unsubscribe(m *bayeux, channel string) reply {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	cl, fail := c.client(m)
	if fail != nil {
		return fail
	}
	cl.replied = c.s.now()
	delete(cl.subs, channel)
	r := m.reply()
	r["clientId"], r["subscription"] = cl.id, channel
	return r
}

func (c *comet) disconnect(m *bayeux) reply {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	cl, fail := c.client(m)
	if fail != nil {
		return fail
	}
	cl.release()
	delete(c.o.clients, cl.id)
	r := m.reply()
	r["clientId"] = cl.id
	return r
}

// release ends a held connect.
func (cl *cometClient) release() {
	if cl.wake != nil {
		close(cl.wake)
		cl.wake = nil
	}
}

// connect answers a client's poll: at once with advice the first time, else when there are events, the hold is over, or a
// newer connect or a disconnect of the same client comes. The org's mutex is free meanwhile.
func (c *comet) connect(ctx context.Context, m *bayeux, alone bool) ([]byte, error) {
	c.o.mu.Lock()
	cl, fail := c.client(m)
	if fail == nil {
		fail = c.injected(m, cl)
	}
	if fail == nil && m.ConnectionType != "" && m.ConnectionType != "long-polling" {
		fail = m.fail("400::Invalid connection type {"+m.ConnectionType+"}", nil)
	}
	if fail != nil {
		c.o.mu.Unlock()
		return json.Marshal(fail)
	}
	cl.release()
	wake := make(chan struct{})
	cl.wake = wake
	first := !cl.connected
	cl.connected = true
	withhold := c.o.struck("withhold_events")
	cl.polls++
	due, err := c.await(ctx, cl, wake, m.hold(c.s.cfg.PollHold, first || !alone), withhold)
	cl.polls--
	if cl.wake == wake {
		cl.wake = nil
	}
	cl.replied = c.s.now()
	c.o.session(bearer(c.r)) // polling keeps the session alive
	c.o.mu.Unlock()
	if err != nil {
		return nil, err
	}
	out, err := c.render(due)
	if err != nil {
		return nil, err
	}
	r := m.reply()
	r["clientId"] = cl.id
	if first {
		r["advice"] = reply{"interval": 0, "timeout": 110000, "reconnect": "retry"}
	}
	b, err := json.Marshal(r)
	return append(out, b...), err
}

// hold is how long a connect may be held: the server's time, or less if the client's advice says so.
func (m *bayeux) hold(limit time.Duration, atOnce bool) time.Duration {
	if atOnce {
		return 0
	}
	if m.Advice != nil && m.Advice.Timeout != nil && *m.Advice.Timeout >= 0 && *m.Advice.Timeout < limit.Milliseconds() {
		return time.Duration(*m.Advice.Timeout) * time.Millisecond
	}
	return limit
}

// injected is the reply of an armed fault.
func (c *comet) injected(m *bayeux, cl *cometClient) reply {
	if c.o.struck("unknown_client") {
		cl.release()
		delete(c.o.clients, cl.id)
		return c.lost(m)
	}
	if c.o.struck("server_busy") {
		r := m.fail("401::Authentication invalid", reply{"reconnect": "none", "interval": 0})
		r["clientId"] = cl.id
		r["ext"] = reply{"sfdc": reply{"failureReason": "503::Server is too busy.  Please try your request again later."}}
		return r
	}
	return nil
}

// delivery is an event due on a channel.
type delivery struct {
	ref     eventRef
	channel string
}

// await waits for events. It is called and returns with the org's mutex held and gives it up while it waits. A client that went
// away takes nothing from its queue.
func (c *comet) await(ctx context.Context, cl *cometClient, wake chan struct{}, hold time.Duration, withhold bool) ([]delivery, error) {
	timer := time.NewTimer(hold)
	defer timer.Stop()
	for over := hold == 0; ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !withhold {
			if due := c.o.pull(cl); len(due) > 0 {
				return due, nil
			}
		}
		if over {
			return nil, nil
		}
		changed := c.o.changed
		c.o.mu.Unlock()
		select {
		case <-changed:
		case <-timer.C:
			over = true
		case <-wake:
			over = true
		case <-c.s.done:
			over = true
		case <-ctx.Done():
		}
		c.o.mu.Lock()
		if isClosed(wake) { // a newer connect, or nobody, takes what is due
			return nil, nil
		}
	}
}

func isClosed(ch chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// pull takes the events that are due for a client, in order of their replay ids, and moves its subscriptions past them.
func (o *org) pull(cl *cometClient) []delivery {
	if len(cl.subs) == 0 {
		return nil
	}
	from := o.lastReplay
	for _, sub := range cl.subs {
		from = min(from, sub.after)
	}
	if from == o.lastReplay {
		return nil
	}
	o.expireEvents()
	channels := slices.Sorted(maps.Keys(cl.subs))
	var due []delivery
	size, reached := 0, o.lastReplay
	for _, e := range o.events[o.firstAfter(from):] {
		if len(due) >= maxDelivered || size >= maxDeliveredSize {
			reached = e.replay - 1
			break
		}
		for _, ch := range channels {
			if sub := cl.subs[ch]; e.replay > sub.after && (sub.obj == nil || sub.obj == e.obj) {
				due = append(due, delivery{e, ch})
				size += e.size
			}
		}
	}
	for _, sub := range cl.subs {
		sub.after = max(sub.after, reached)
	}
	return due
}

// render turns events into messages, each followed by a comma.
func (c *comet) render(due []delivery) ([]byte, error) {
	var out []byte
	var line *simkit.Ref
	var t *logTx
	for _, d := range due {
		if d.ref.line != line {
			var err error
			if t, err = c.o.logged(d.ref.line); err != nil {
				return nil, err
			}
			line = d.ref.line
		}
		var err error
		if out, err = appendEventMessage(out, t, d.ref.index, d.channel); err != nil {
			return nil, err
		}
		out = append(out, ',')
	}
	return out, nil
}
