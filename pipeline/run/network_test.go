package run

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// network is one member's way to the brokers, which a test can cut.
type network struct {
	mu    sync.Mutex
	state netState
	conns map[*netConn]struct{}
	// cutAt cuts the network, for ever, at the next request of this key: before it is
	// sent, or after it was sent and before its answer comes.
	cutAt  int16
	cutAs  netState
	lateBy bool
	onCut  func()
}

type netState int

const (
	netUp      netState = iota
	netRefuses          // connections are reset, new ones refused
	netSilent           // nothing arrives any more, and nobody says so
)

const noKey = -1

var errNetCut = errors.New("the network is cut")

func newNetwork() *network { return &network{conns: make(map[*netConn]struct{}), cutAt: noKey} }

// set cuts the network or heals it.
func (n *network) set(s netState) {
	n.mu.Lock()
	n.state = s
	var broken []*netConn
	if s != netUp {
		for c := range n.conns {
			broken = append(broken, c)
		}
	}
	n.mu.Unlock()
	for _, c := range broken {
		c.cut(s)
	}
}

// armCut makes the next request of the key the last that the member sends; before
// it, or after. done is called when it is cut.
func (n *network) armCut(key int16, s netState, afterSending bool, done func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cutAt, n.cutAs, n.lateBy, n.onCut = key, s, afterSending, done
}

func (n *network) dial(ctx context.Context, kind, addr string) (net.Conn, error) {
	n.mu.Lock()
	s := n.state
	n.mu.Unlock()
	switch s {
	case netRefuses:
		return nil, errNetCut
	case netSilent:
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, kind, addr)
	if err != nil {
		return nil, err
	}
	nc := &netConn{Conn: c, n: n, dark: make(chan struct{}), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state != netUp {
		c.Close()
		return nil, errNetCut
	}
	n.conns[nc] = struct{}{}
	return nc, nil
}

// netConn is one connection. Once it is dark it stays so: what is healed are new ones.
type netConn struct {
	net.Conn
	n      *network
	dark   chan struct{} // closed when nothing arrives any more
	closed chan struct{}
	once   sync.Once
	hide   sync.Once

	mu       sync.Mutex
	deadline time.Time
}

func (c *netConn) cut(s netState) {
	if s == netSilent {
		c.hide.Do(func() { close(c.dark) })
		return
	}
	c.Close()
}

func (c *netConn) isDark() bool {
	select {
	case <-c.dark:
		return true
	default:
		return false
	}
}

// Write looks at the key of the request: kgo writes a request in one piece.
func (c *netConn) Write(b []byte) (int, error) {
	if len(b) >= 6 {
		key := int16(binary.BigEndian.Uint16(b[4:]))
		c.n.mu.Lock()
		hit := key == c.n.cutAt
		as, late, done := c.n.cutAs, c.n.lateBy, c.n.onCut
		if hit {
			c.n.cutAt = noKey
		}
		c.n.mu.Unlock()
		if hit {
			if late && !c.isDark() {
				_, _ = c.Conn.Write(b)
			}
			c.n.set(as)
			done()
			if as == netRefuses {
				return 0, errNetCut
			}
			return len(b), nil
		}
	}
	if c.isDark() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// Read returns nothing once the connection is dark, until its deadline.
func (c *netConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if !c.isDark() {
		return n, err
	}
	c.mu.Lock()
	deadline := c.deadline
	c.mu.Unlock()
	wait := make(<-chan time.Time)
	if !deadline.IsZero() {
		wait = time.After(time.Until(deadline))
	}
	select {
	case <-wait:
		return 0, os.ErrDeadlineExceeded
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *netConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

func (c *netConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetDeadline(t)
}

func (c *netConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		close(c.closed)
		err = c.Conn.Close()
		c.n.mu.Lock()
		delete(c.n.conns, c)
		c.n.mu.Unlock()
	})
	return err
}
