package kafkalane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// heap is what each of the two parts may use.
const heap = "-Xmx512m"

// Part is one of the two processes. Its methods may be called one after another
// from any goroutine.
type Part struct {
	name  string
	dir   string   // working folder
	args  []string // of java
	log   string   // file, appended to over restarts
	ready func(context.Context) error

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when the process of cmd has ended
}

// Start starts the part again after Kill or Stop, with the same data and the same
// address, and returns once it answers.
func (p *Part) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return fmt.Errorf("%s runs already", p.name)
	}
	if err := p.spawn(); err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	if err := p.await(ctx); err != nil {
		p.signal(syscall.SIGKILL)
		<-p.done
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	return nil
}

// Kill ends the part with SIGKILL and waits until it is gone.
func (p *Part) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

// Stop asks the part to end and waits for it; after 20 s it is killed.
func (p *Part) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return
	}
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

func (p *Part) running() bool {
	if p.done == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal reaches the whole process group.
func (p *Part) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// spawn starts the process.
func (p *Part) spawn() error {
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command("java", p.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = p.dir, out, out, OwnGroup()
	started, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		_ = attached(cmd, started) // how it ended stands in its log
	}()
	if err := <-started; err != nil {
		return err
	}
	p.cmd, p.done = cmd, done
	return nil
}

// Attached starts a command and waits for it, with the calling goroutine on one
// thread: the kernel ends the child of OwnGroup when the thread that made it ends.
func Attached(cmd *exec.Cmd) error { return attached(cmd, make(chan error, 1)) }

func attached(cmd *exec.Cmd, started chan<- error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	started <- err
	if err != nil {
		return err
	}
	return cmd.Wait()
}

// errEnded says that the process ended before it answered.
var errEnded = errors.New("it ended")

// await asks until the part answers.
func (p *Part) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ask := time.NewTicker(50 * time.Millisecond)
	defer ask.Stop()
	var last error
	for {
		select {
		case <-p.done:
			return fmt.Errorf("%w before it answered, see %s", errEnded, p.log)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer (%w), see %s", errors.Join(ctx.Err(), last), p.log)
		case <-ask.C:
			if last = p.ready(ctx); last == nil {
				return nil
			}
		}
	}
}

// tail copies the last n bytes of the part's log.
func (p *Part) tail(w io.Writer, n int64) {
	f, err := os.Open(p.log)
	if err != nil {
		return
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > n {
		_, _ = f.Seek(-n, io.SeekEnd)
	}
	fmt.Fprintf(w, "---- %s, the end of %s\n", p.name, p.log)
	_, _ = io.Copy(w, f)
}
