//go:build !linux

package main

import "errors"

const canLimit = false

func limit(uint64) error { return errors.ErrUnsupported }
