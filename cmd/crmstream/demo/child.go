package demo

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// child is a process that the test started and may kill.
type child struct {
	cmd   *exec.Cmd
	log   *os.File
	ended chan struct{}
}

// spawn starts a program with its output in a file.
func spawn(binary, log string, args ...string) (*child, error) {
	f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		f.Close()
		return nil, fmt.Errorf("starting %s %v: %w", binary, args, err)
	}
	c := &child{cmd, f, make(chan struct{})}
	go func() {
		_ = cmd.Wait() // a killed process ends with an error: that is the point
		f.Close()
		close(c.ended)
	}()
	return c, nil
}

// kill ends the process as a crash does.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
}

// stop asks the process to end, and kills it if it does not.
func (c *child) stop(within time.Duration) {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(within):
		c.kill()
	}
}

// answers waits until the process answers HTTP at the address, whatever it says.
func (c *child) answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	hc := &http.Client{Timeout: time.Second}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := hc.Do(req)
		if err == nil {
			resp.Body.Close()
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("%v ended at its start: see %s", c.cmd.Args, c.log.Name())
		case <-ctx.Done():
			return fmt.Errorf("%v does not answer at %s: %w", c.cmd.Args, url, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// output runs a command of the program and returns what it prints.
func output(ctx context.Context, binary string, args ...string) (string, error) {
	b, err := exec.CommandContext(ctx, binary, args...).CombinedOutput()
	return string(b), err
}
