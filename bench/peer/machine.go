package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"
)

// What the machine says of itself, on Linux; elsewhere these are zero and empty.

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}

// busy returns how many cores were busy over a while.
func busy(ctx context.Context, while time.Duration) float64 {
	before, began := busyTicks(), time.Now()
	select {
	case <-time.After(while):
	case <-ctx.Done():
	}
	return float64(busyTicks()-before) / 100 / time.Since(began).Seconds()
}

// busyTicks is the time that all cores worked, in hundredths of a second.
func busyTicks() (n int64) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, f := range strings.Fields(line) {
		if i == 0 || i == 4 || i == 5 || i > 8 { // its name, idle, waiting for I/O, guests
			continue
		}
		v, _ := strconv.ParseInt(f, 10, 64)
		n += v
	}
	return n
}

// peakRSS is the most memory that a process has had.
func peakRSS(pid int) int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}

func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "?"
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(v, "\t :\n")
		}
	}
	return "?"
}
