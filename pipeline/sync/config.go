package sync

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"sync/atomic"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
)

// decodedConfigs keeps configurations that were decoded lately: every record needs
// its tenant's. An entry counts only for the very bytes in state that it was made
// of, so that losing or keeping one changes nothing but time (P9).
type decodedConfigs struct {
	slots [configSlots]atomic.Pointer[decodedConfig]
}

// configSlots bounds the configurations that are kept: one of a tenant with a mapping of
// its own has about 20 KB.
const configSlots = 1 << 14

// decodedConfig is never changed after it was stored: all partitions may read it.
type decodedConfig struct {
	raw   []byte
	cfg   *settings
	lines *mapping.Compiled
}

// config returns the tenant's configuration, to be read only; ok is false if it has
// none. It sets what the tenant's accounts and its mapping are.
func (w *world) config() (cfg *schemas.TenantConfig, ok bool, err error) {
	raw, ok, err := w.tx.Store.Get(w.t.Key(kindConfig, ""))
	if err != nil || !ok {
		return nil, false, err
	}
	h := fnv.New32a()
	h.Write([]byte(w.t.Name()))
	slot := &w.s.configs.slots[h.Sum32()%uint32(len(w.s.configs.slots))]
	if d := slot.Load(); d != nil && bytes.Equal(d.raw, raw) {
		w.adoptConfig(d)
		return &d.cfg.Tenant, true, nil
	}
	d := &decodedConfig{raw: bytes.Clone(raw), cfg: new(settings)}
	if err := configs.Unmarshal(d.raw, d.cfg); err != nil {
		return nil, false, fmt.Errorf("%w: %w", pipeline.ErrCorrupt, err)
	}
	d.cfg.Tenant.Document = "" // nothing is decided by it
	d.lines = w.s.base.CompileWith(&d.cfg.Tenant, d.cfg.Facts)
	slot.Store(d)
	w.adoptConfig(d)
	return &d.cfg.Tenant, true, nil
}

func (w *world) adoptConfig(d *decodedConfig) {
	w.orgs, w.salt, w.numbers, w.facts = d.cfg.Orgs, d.cfg.Salt, d.cfg.Numbers, d.cfg.Facts
	w.use(d.lines)
}

// use makes a mapping the one of this world.
func (w *world) use(lines *mapping.Compiled) {
	w.lines, w.env = lines, &lines.Env
	if lines.Scripts() {
		env := lines.Env
		w.scripts = &scripts{s: w.s, tx: w.tx, t: w.t, lines: lines}
		env.Scripts = w.scripts
		w.env = &env
	}
}
