package sync

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"sync/atomic"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// decodedConfigs keeps configurations that were decoded lately: every record needs
// its tenant's. An entry counts only for the very bytes in state that it was made
// of, so that losing or keeping one changes nothing but time (P9).
type decodedConfigs struct {
	slots [256]atomic.Pointer[decodedConfig]
}

// decodedConfig is never changed after it was stored: all partitions may read it.
type decodedConfig struct {
	raw []byte
	cfg *settings
}

// config returns the tenant's configuration, to be read only; ok is false if it has
// none. It sets what the tenant's accounts are.
func (w *world) config() (cfg *schemas.TenantConfig, ok bool, err error) {
	raw, ok, err := w.tx.Store.Get(w.t.Key(kindConfig, ""))
	if err != nil || !ok {
		return nil, false, err
	}
	h := fnv.New32a()
	h.Write([]byte(w.t.Name()))
	slot := &w.s.configs.slots[h.Sum32()%uint32(len(w.s.configs.slots))]
	if d := slot.Load(); d != nil && bytes.Equal(d.raw, raw) {
		w.orgs = d.cfg.Orgs
		return &d.cfg.Tenant, true, nil
	}
	d := &decodedConfig{raw: bytes.Clone(raw), cfg: new(settings)}
	if err := configs.Unmarshal(d.raw, d.cfg); err != nil {
		return nil, false, fmt.Errorf("%w: %w", pipeline.ErrCorrupt, err)
	}
	slot.Store(d)
	w.orgs = d.cfg.Orgs
	return &d.cfg.Tenant, true, nil
}
