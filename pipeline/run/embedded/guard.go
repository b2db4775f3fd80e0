package embedded

import (
	"encoding/binary"
	"errors"
	"net"

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
type guardListener struct{ net.Listener }

func (l guardListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guardConn{Conn: c}, nil
}

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
