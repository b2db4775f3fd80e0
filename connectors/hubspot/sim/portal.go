package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crmstream/crmstream/connectors/simkit"
)

// tokenHash marks a stored token: the log never holds one in clear.
const tokenHash = "sha256:"

func hashToken(v string) string {
	if strings.HasPrefix(v, tokenHash) {
		return v
	}
	sum := sha256.Sum256([]byte(v))
	return tokenHash + hex.EncodeToString(sum[:])
}

// token is an access token of a portal.
type token struct {
	appID  int64
	scopes []string // nil grants all
	window window
}

// stats is what GET /_sim/requests tells.
type stats struct {
	Counts      map[string]int
	RateLimited int
	Delivered   int
	Dropped     int
	Failed      int // deliveries that will be tried again
}

// portal is one account. mu guards everything below it but tokens, which is fixed once it is open.
type portal struct {
	srv    *Server
	id     int64
	tokens map[string]*token

	mu        sync.Mutex
	cfg       PortalConfig
	log       *simkit.Log[logLine]
	tables    map[*objectType]*table
	links     map[node]map[node][]spec
	lastID    int64
	lastEvent int64
	day       dayCount
	searches  window
	stats     stats
	subs      []subscription
	pending   []*event // oldest first
	occurred  occurrences
	wake      chan struct{}
}

// openPortal reads a portal from its log, if it has one, and applies the configuration given now.
func openPortal(s *Server, id int64, given *PortalConfig) (*portal, error) {
	p := &portal{srv: s, id: id, cfg: PortalConfig{ID: id}, tables: map[*objectType]*table{}, links: map[node]map[node][]spec{},
		tokens: map[string]*token{}, searches: window{interval: searchInterval, max: searchMax}, log: &simkit.Log[logLine]{},
		stats: stats{Counts: map[string]int{}}, wake: make(chan struct{}, 1), lastID: 100 + id%900}
	for _, ot := range objectTypes {
		p.tables[ot] = newTable(ot)
	}
	if s.cfg.Dir != "" {
		log, err := simkit.OpenLog(filepath.Join(s.cfg.Dir, fmt.Sprintf("portal-%d.log", id)), p.replay)
		if err != nil {
			return nil, err
		}
		p.log = log
	}
	if given != nil {
		c := *given
		c.Tokens = slices.Clone(given.Tokens)
		for i := range c.Tokens {
			c.Tokens[i].Token = hashToken(c.Tokens[i].Token)
		}
		if c.App != nil && p.cfg.App != nil {
			app := *c.App
			if app.TargetURL == "" {
				app.TargetURL = p.cfg.App.TargetURL
			}
			if len(app.Subscriptions) == 0 {
				app.Subscriptions = p.cfg.App.Subscriptions
			}
			c.App = &app
		}
		p.cfg = c
		if _, err := p.log.Append(logLine{Portal: &c}); err != nil {
			return nil, err
		}
	}
	p.configure()
	return p, nil
}

// configure draws the consequences of the configuration.
func (p *portal) configure() {
	if p.cfg.RateMax == 0 {
		p.cfg.RateMax = defaultRateMax
	}
	if p.cfg.Daily == 0 {
		p.cfg.Daily = defaultDaily
	}
	for _, t := range p.cfg.Tokens {
		p.tokens[hashToken(t.Token)] = &token{appID: t.AppID, scopes: t.Scopes, window: window{interval: burstInterval, max: p.cfg.RateMax}}
	}
	p.uniqueCalls()
	p.subscribe()
}

// uniqueCalls gives calls their unique property where the portal is one that takes it.
func (p *portal) uniqueCalls() {
	tab := p.tables[typeNamed("calls")]
	if !p.cfg.UniqueCallProperty || tab.props["dialer_call_id"] != nil {
		return
	}
	tab.define(uniqueCallProperty())
	for _, id := range tab.order {
		tab.put(tab.rows[id])
	}
}

func (p *portal) replay(l logLine, _ *simkit.Ref) error {
	switch {
	case l.Portal != nil:
		p.cfg = *l.Portal
		p.uniqueCalls()
	case l.Tx != nil:
		return p.redo(l.Tx)
	case l.Property != nil:
		ot := typeNamed(l.Property.Object)
		if ot == nil {
			return fmt.Errorf("property of an unknown object %q", l.Property.Object)
		}
		p.tables[ot].defined(l.Property)
	case l.Occurrence != nil:
		p.occurred.keep(l.Occurrence)
	case l.Webhook != nil:
		p.delivered(l.Webhook)
	}
	return nil
}

func (p *portal) nextID() int64 {
	p.lastID++
	return p.lastID
}

// indexed is the instant up to which the search index knows changes.
func (p *portal) indexed(at int64) int64 { return at - p.srv.cfg.SearchLag.Milliseconds() }

func (s *Server) now() time.Time { return s.cfg.Now() }
