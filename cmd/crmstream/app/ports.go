package app

import (
	"fmt"
	"net"
	"strings"
)

// Port is an address that a process wants to listen on.
type Port struct {
	What string // "broker"
	Addr string
	Flag string // how to move it
}

// CheckPorts tries all addresses before anything starts: one line for each that is
// taken, with the way to move it.
func CheckPorts(ports ...Port) error {
	var taken []string
	for _, p := range ports {
		l, err := net.Listen("tcp", p.Addr)
		if err != nil {
			taken = append(taken, fmt.Sprintf("%s can't listen on %s (%v): move it with %s", p.What, p.Addr, cause(err), p.Flag))
			continue
		}
		l.Close()
	}
	if len(taken) > 0 {
		return fmt.Errorf("nothing was started: %s", strings.Join(taken, "; "))
	}
	return nil
}

func cause(err error) string {
	s := err.Error()
	if i := strings.LastIndex(s, ": "); i >= 0 {
		return s[i+2:]
	}
	return s
}
