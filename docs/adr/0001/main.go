// Command 0001 shows why crmstream reads Avro with twmb/avro: the same six bytes
// end a process that decodes them with the defaults of hamba/avro/v2, and are an
// ordinary error for twmb/avro. Run it with
//
//	go run ./docs/adr/0001
//
// The hamba half runs in a child process whose address space is limited, so that
// the machine does not have to find the memory. It ends with 1 if either library
// behaves otherwise than the page says.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	hamba "github.com/hamba/avro/v2"
	"github.com/twmb/avro"
)

// schema is the smallest one that shows it: an item of no bytes, so that no length
// of the message bounds their number.
const schema = `{"type": "array", "items": "null"}`

// message says "a block of 2^28 items" (zigzag, 5 bytes) and "no further block". In
// a []any that is 4 GiB: above the child's limit, and, should the limit not hold,
// no more than a machine of today survives. The largest count that six bytes can
// say asks for 32 GiB and more.
var message = []byte{0x80, 0x80, 0x80, 0x80, 0x02, 0x00}

const (
	// childVar tells the process that it is the child.
	childVar = "CRMSTREAM_ADR_0001"
	// childLimit bounds the child's address space, in bytes. A Go process starts with
	// a little more than 1 GiB reserved, of which it uses a few MiB.
	childLimit = 2 << 30
	// survived is the child's exit status if it comes back from the decoder: not 2,
	// which is how the Go runtime ends.
	survived = 7
)

func main() {
	switch mode := os.Getenv(childVar); {
	case mode != "":
		child(mode)
	case show(os.Stdout) != nil:
		os.Exit(1)
	}
}

// child decodes the message with hamba/avro/v2 in the given mode and never returns.
// It recovers, to show that recover is no help.
func child(mode string) {
	if err := limit(childLimit); err != nil {
		fmt.Println("limiting the memory:", err)
		os.Exit(1)
	}
	defer func() {
		fmt.Println("recovered:", recover())
		os.Exit(survived)
	}()
	api := hamba.DefaultConfig
	if mode == "limits" {
		api = hamba.Config{MaxSliceAllocSize: 1 << 20, MaxByteSliceSize: 1 << 20}.Freeze()
	}
	var v []any
	err := api.Unmarshal(hamba.MustParse(schema), message, &v)
	fmt.Println("error:", err)
	os.Exit(survived)
}

// show runs all three and reports on w. The error says what is not as the page has
// it.
func show(w io.Writer) error {
	fmt.Fprintf(w, "schema   %s\nmessage  % x  (%d bytes)\n\n", schema, message, len(message))

	var v []any
	_, err := avro.MustParse(schema).Decode(message, &v)
	fmt.Fprintf(w, "twmb/avro, as it comes        error: %v\n", err)
	if err == nil {
		return say(w, errors.New("twmb/avro took the message"))
	}
	if !canLimit {
		fmt.Fprintln(w, "hamba/avro/v2                 not run: this system cannot limit the child's memory (Linux can)")
		return nil
	}
	died, err := inChild(w, "hamba/avro/v2, as it comes", "defaults")
	if err != nil {
		return say(w, err)
	}
	if !died {
		return say(w, errors.New("the child survived the defaults of hamba/avro/v2"))
	}
	if died, err = inChild(w, "hamba/avro/v2, limits set", "limits"); err != nil {
		return say(w, err)
	}
	if died {
		return say(w, errors.New("the child died in spite of the limits"))
	}
	return nil
}

func say(w io.Writer, err error) error {
	fmt.Fprintln(w, "\nnot as the page says:", err)
	return err
}

// inChild reports whether a child in the given mode was ended by the Go runtime.
func inChild(w io.Writer, label, mode string) (died bool, err error) {
	self, err := os.Executable()
	if err != nil {
		return false, fmt.Errorf("finding this program: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childVar+"="+mode)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false, fmt.Errorf("running the child: %w", err)
	}
	switch code := exit.ExitCode(); {
	case code == survived:
		fmt.Fprintf(w, "%-29s %s\n", label, firstLine(stdout.String()))
		return false, nil
	case code == 2 && strings.Contains(stderr.String(), "out of memory"):
		fmt.Fprintf(w, "%-29s the process is gone, past recover: %s\n", label, firstLine(stderr.String()))
		return true, nil
	default:
		return false, fmt.Errorf("the child ended with %w: %s%s", exit, stdout.String(), firstLine(stderr.String()))
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
