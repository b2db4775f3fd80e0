package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Sizes of a request frame that are let through: the least that holds a header,
// and Kafka's own default for the most.
const (
	minFrame = 10
	maxFrame = 100 << 20
)

var errTurnedAway = errors.New("embedded broker: a frame that is no Kafka request: connection closed")

// guardListener hands out connections that let only frames with a known API key
// through: others end the broker's process.
//
// Until ready is closed nobody from outside gets in: they wait in the backlog while
// the boot closes what an earlier one left open, through connections that dial
// makes.
type guardListener struct {
	net.Listener
	inner chan net.Conn
	ready chan struct{}
	done  chan struct{}
	once  *sync.Once
}

func newGuardListener(l net.Listener) guardListener {
	return guardListener{l, make(chan net.Conn), make(chan struct{}), make(chan struct{}), new(sync.Once)}
}

func (l guardListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.inner:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-l.ready:
	}
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guardConn{Conn: c}, nil
}

func (l guardListener) isReady() bool {
	select {
	case <-l.ready:
		return true
	default:
		return false
	}
}

// Close ends the listener, also where it waits to be ready.
func (l guardListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// dial connects the boot's own client past the door.
func (l guardListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.inner <- innerConn{theirs}:
		return innerConn{ours}, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// innerConn is a connection within the process; the broker wants an address of it.
type innerConn struct{ net.Conn }

func (innerConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (innerConn) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// guardConn is read by one goroutine, as the broker does.
type guardConn struct {
	net.Conn
	header  [8]byte // size, API key, version
	have    int     // bytes of header read
	given   int     // bytes of header handed on
	left    int     // bytes of the frame's body still to pass
	refused bool
}

// Read implements net.Conn: a frame's header is held back until it is known to be
// harmless.
func (c *guardConn) Read(p []byte) (int, error) {
	if c.refused {
		return 0, errTurnedAway
	}
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if c.given < c.have && c.have == len(c.header) {
			n := copy(p, c.header[c.given:])
			c.given += n
			return n, nil
		}
		if c.left > 0 {
			if len(p) > c.left {
				p = p[:c.left]
			}
			n, err := c.Conn.Read(p)
			c.left -= n
			if c.left == 0 {
				c.have, c.given = 0, 0
			}
			return n, err
		}
		if c.have == len(c.header) { // an exhausted frame of exactly the header
			c.have, c.given = 0, 0
		}
		n, err := c.Conn.Read(c.header[c.have:])
		c.have += n
		if c.have == len(c.header) {
			size := int32(binary.BigEndian.Uint32(c.header[:]))
			if !harmless(size, int16(binary.BigEndian.Uint16(c.header[4:]))) {
				c.refused = true
				return 0, errors.Join(errTurnedAway, c.Conn.Close())
			}
			c.left = int(size) - 4
			continue
		}
		if err != nil {
			return 0, err
		}
	}
}

func harmless(size int32, key int16) bool {
	return size >= minFrame && size <= maxFrame && kmsg.RequestForKey(key) != nil
}
