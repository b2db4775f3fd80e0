// Command crmstream keeps a sales dialer and its customers' CRMs in sync: one
// binary with the pipeline, the embedded broker, the simulators and the tools to
// run them. It wires; what it wires lives in packages of its own.
package main

import (
	"os"

	"github.com/crmstream/crmstream/cmd/crmstream/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
