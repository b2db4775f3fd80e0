package sim

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// firstID is below the first record's id: vendor ids do not fit into 32 bits.
const firstID = 30_000_000_000

// portal is one account. mu guards everything but what is fixed when it is opened.
type portal struct {
	id          int64 // fixed
	recalculate bool  // fixed
	lag         int64 // fixed, ms

	mu     sync.Mutex
	cfg    PortalConfig
	log    *changeLog
	tables map[*objectType]*table
	owners map[string]OwnerConfig
	nextID int64 // the highest id given out
	last   int64 // ms, the latest time seen: the portal's clock does not go back

	hooks hooks

	day      dayCount
	searches window
	stats    stats
}

// token is an access token with its own rate limit. portal.mu guards window.
type token struct {
	portal *portal
	appID  int64
	scopes map[string]bool // nil grants all
	window window
}

// stats counts what a portal was asked for since it was opened.
type stats struct {
	Requests    map[string]int64 // let through, by kind
	RateLimited int64            // answered 429
	Faulted     int64            // met a fault
	Unanswered  int64            // applied, then dropped
}

func newPortal(id int64, cfg Config) *portal {
	p := &portal{
		id: id, recalculate: !cfg.NoRecalculation, lag: cfg.SearchLag.Milliseconds(), nextID: firstID,
		tables:   make(map[*objectType]*table, len(objectTypes)),
		searches: window{interval: searchInterval, max: searchMax},
		stats:    stats{Requests: make(map[string]int64)},
		hooks:    newHooks(),
	}
	for _, typ := range objectTypes {
		p.tables[typ] = newTable(p, typ)
	}
	return p
}

// configure sets what the portal was created with.
func (p *portal) configure(cfg PortalConfig) {
	p.cfg = cfg
	p.owners = make(map[string]OwnerConfig, len(cfg.Owners))
	for _, o := range cfg.Owners {
		p.owners[strconv.FormatInt(o.ID, 10)] = o
	}
	p.subscribe(cfg.App)
}

func (p *portal) tableOf(object string) *table { return p.tables[objectTypeOf(object)] } // nil if there is none

func (p *portal) daily() int {
	if p.cfg.Daily > 0 {
		return p.cfg.Daily
	}
	return defaultDaily
}

func (p *portal) tokens() map[string]*token {
	rate := p.cfg.RateMax
	if rate == 0 {
		rate = defaultRateMax
	}
	out := make(map[string]*token, len(p.cfg.Tokens))
	for _, t := range p.cfg.Tokens {
		tok := &token{portal: p, appID: t.AppID, window: window{interval: burstInterval, max: rate}}
		if t.Scopes != nil {
			tok.scopes = make(map[string]bool, len(t.Scopes))
			for _, s := range t.Scopes {
				tok.scopes[s] = true
			}
		}
		out[t.Token] = tok
	}
	return out
}

// clock turns the time into the portal's own, which never goes back, and lets the background catch up.
func (p *portal) clock(now time.Time) int64 {
	p.advance(now.UnixMilli())
	return p.last
}

func (p *portal) advance(now int64) {
	p.last = max(p.last, now)
	for _, typ := range objectTypes {
		p.tables[typ].advance(p.last)
	}
}

// newIDs gives out n ids in no order.
func (p *portal) newIDs(n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = p.nextID + 1 + int64(i)
	}
	rand.Shuffle(n, func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids
}
