package kafkalane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// freePorts returns n different free ports of loopback. They are below those that the kernel
// gives to outgoing connections: a client that dials a dead broker's port again and
// again would sooner or later be given that very port, be connected to itself, and
// keep the broker from coming back.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer l.Close() // held until all are found, so that they differ
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("no free port between 20000 and 32000")
}
