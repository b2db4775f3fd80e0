package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/crmstream/crmstream/internal/bench/load"
	"github.com/crmstream/crmstream/internal/kafkalane"
	"github.com/crmstream/crmstream/schemas/registry"
	"github.com/crmstream/crmstream/state/disk"
)

// contend is a contender's process: it works until it is told to end.
func contend(name string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	bed := &load.Bed{Brokers: []string{os.Getenv(kafkalane.EnvBrokers)}, Codec: registry.NewCodec(os.Getenv(kafkalane.EnvRegistry)),
		Partitions: partitions, Tenants: tenants, People: load.People}
	var err error
	switch name {
	case raw:
		_, _, err = bed.RawCopy(context.Background(), os.Args[2], func(int, time.Duration) bool { return ctx.Err() != nil })
	case crmstream:
		err = merge(ctx, bed, os.Args[1])
	default:
		err = fmt.Errorf("no contender %q", name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", name+":", err)
		return 1
	}
	return 0
}

// merge runs the whole task over Pebble in dir until ctx ends.
func merge(ctx context.Context, bed *load.Bed, dir string) error {
	if err := bed.Codec.Register(ctx); err != nil {
		return err
	}
	db, err := disk.Open(disk.Options{Dir: dir})
	if err != nil {
		return err
	}
	r, stop, err := bed.Start(db, nil)
	if err != nil {
		return err
	}
	<-ctx.Done()
	if err := stop(); err != nil {
		return err
	}
	if n := r.Status().DeadLetters; n > 0 {
		return fmt.Errorf("%d dead letters", n)
	}
	return db.Close()
}
