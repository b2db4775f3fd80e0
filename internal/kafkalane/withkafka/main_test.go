package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmstream/crmstream/internal/kafkalane"
)

// The test binary is the command itself where this variable is set.
func TestMain(m *testing.M) {
	if os.Getenv("WITHKAFKA_TEST_COMMAND") != "" {
		os.Exit(commandMain())
	}
	os.Exit(m.Run())
}

// commandMain starts what args name as withkafka does.
func commandMain() int {
	ctx, stop := untilSignal()
	defer stop()
	if err := command(ctx, os.Args[1:], []string{"GIVEN=yes"}); err != nil {
		return 1
	}
	return 0
}

// Neither a signal nor a kill of withkafka leaves its command behind, and the command
// leaves nothing behind either.
func TestNothingOutlivesTheCommand(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, script string
		sig          syscall.Signal
	}{
		{"killed", `echo $$ $GIVEN; exec sleep 100`, syscall.SIGKILL},
		{"told to end", `sleep 100 & echo $! $GIVEN; wait`, syscall.SIGTERM},
		{"ended", `sleep 100 >/dev/null 2>&1 & echo $! $GIVEN`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.sig == syscall.SIGKILL && runtime.GOOS != "linux" {
				t.Skip("the kernel ends no children here")
			}
			cmd := exec.Command(self, "sh", "-c", c.script)
			cmd.Env = append(os.Environ(), "WITHKAFKA_TEST_COMMAND=1")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			first, given, _ := strings.Cut(strings.TrimSpace(line), " ")
			pid, err := strconv.Atoi(first)
			if err != nil || given != "yes" {
				t.Fatalf("the command said %q", line)
			}
			if c.sig != 0 {
				if err := cmd.Process.Signal(c.sig); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait() // its status is not the question
			gone(t, pid)
		})
	}
}

// gone waits until a process has ended; one that nobody has collected has ended too.
func gone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.After(5 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if err != nil && syscall.Kill(pid, 0) != nil || err == nil && strings.Contains(string(b), ") Z ") {
			return
		}
		select {
		case <-deadline:
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d is left", pid)
		case <-tick.C:
		}
	}
}

// A machine without java is told so in one line, with status 3.
func TestWithoutJava(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := kafkalane.Start(t.Context(), kafkalane.Config{})
	if status(err) != 3 || strings.Contains(fmt.Sprint(err), "\n") || !strings.Contains(fmt.Sprint(err), "java") {
		t.Errorf("status %d: %v", status(err), err)
	}
}
