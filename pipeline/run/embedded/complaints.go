package embedded

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kfake"
)

// complaints passes the broker's warnings on and counts them: a file that can't be
// written is said nowhere else.
type complaints struct {
	log   *slog.Logger
	count atomic.Int64
}

// Logf implements kfake.Logger.
func (c *complaints) Logf(level kfake.LogLevel, format string, args ...any) {
	if level == kfake.LogLevelError || level == kfake.LogLevelWarn {
		c.count.Add(1)
		c.log.Warn("embedded broker", "what", fmt.Sprintf(format, args...))
	}
}
