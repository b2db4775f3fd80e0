package sim

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/crmstream/crmstream/connectors/simkit"
)

// org is one Salesforce org. Its mutex guards everything below it and is held neither over network writes nor over a long poll.
type org struct {
	srv *Server
	id  string // 18 characters
	pod string
	log *simkit.Log[logLine]

	mu       sync.Mutex
	cfg      OrgConfig
	cdc      map[*object]bool
	tables   map[*object]*table
	shapes   sync.Map            // *field → shape: how the org's field differs from the table
	sessions map[string]*session // by token hash
	reusable map[string]string   // user and app → live access token of the JWT flow
	grants   map[string]*grant   // by refresh token hash
	cursors  map[string]*cursor  // by locator
	clients  map[string]*cometClient
	usage    usage
	counts   map[string]int64 // vendor requests by kind

	events       []eventRef
	lastReplay   int64
	commitNumber int64
	changed      chan struct{} // closed and replaced when there are new events
}

// openOrg makes an org from its log and its configuration. cfg is nil for an org that only the log knows.
func openOrg(srv *Server, id string, cfg *OrgConfig) (*org, error) {
	o := &org{
		srv: srv, id: id, pod: podOf(id), log: simkit.MemoryLog[logLine](),
		tables: map[*object]*table{}, sessions: map[string]*session{}, reusable: map[string]string{}, grants: map[string]*grant{},
		cursors: map[string]*cursor{}, clients: map[string]*cometClient{}, counts: map[string]int64{}, changed: make(chan struct{}),
	}
	for _, obj := range objectList {
		o.tables[obj] = newTable(obj)
	}
	var stored *OrgConfig
	if srv.cfg.Dir != "" {
		l, err := simkit.OpenLog(filepath.Join(srv.cfg.Dir, id+".log"), func(line logLine, ref *simkit.Ref) error {
			if line.Org != nil {
				stored = line.Org
				return nil
			}
			return o.replay(line, ref)
		})
		if err != nil {
			return nil, err
		}
		o.log = l
	}
	if err := o.configure(stored, cfg); err != nil {
		return nil, fmt.Errorf("org %s: %w", id, err)
	}
	return o, nil
}

// configure settles the configuration and creates the users that have no record yet.
func (o *org) configure(stored, cfg *OrgConfig) error {
	switch {
	case stored == nil && cfg == nil:
		return fmt.Errorf("log without configuration")
	case cfg == nil:
		o.cfg = *stored
	case stored == nil:
		o.cfg = *cfg
	default:
		o.cfg = stored.merge(*cfg)
	}
	if stored == nil || !reflect.DeepEqual(*stored, o.cfg) {
		if _, err := o.log.Append(logLine{Org: &o.cfg}); err != nil {
			return err
		}
	}
	o.cdc = map[*object]bool{}
	for _, name := range o.cfg.CDC {
		o.cdc[objects[name]] = true
	}
	tab := o.tables[userObject]
	for _, u := range o.cfg.Users {
		if tab.find(u.ID) != nil {
			continue
		}
		t := o.begin(actor{user: u.ID})
		r := &record{id: u.ID, vals: make([]any, len(userObject.stored)), createdBy: u.ID, modifiedBy: u.ID}
		r.created, r.modified, r.stamp = t.at.Unix(), t.at.Unix(), t.at.Unix()
		userObject.set(r, "Username", u.Username)
		userObject.set(r, "Name", u.Name)
		userObject.set(r, "Email", u.Email)
		userObject.set(r, "IsActive", true)
		userObject.set(r, "TimeZoneSidKey", cmp.Or(u.TimeZone, "America/Los_Angeles"))
		t.put(tab, r)
		t.changes = append(t.changes, change{op: opCreate, obj: userObject, id: r.id, fields: diff(userObject, nil, r), quiet: true})
		if err := t.commit(); err != nil {
			return err
		}
	}
	return nil
}

// replay applies a line of the log when the org is opened.
func (o *org) replay(line logLine, ref *simkit.Ref) error {
	switch {
	case line.Tx != nil:
		return o.redo(line.Tx, ref)
	case line.Login != nil:
		o.redoLogin(line.Login)
	case line.Revoke != "":
		o.dropToken(line.Revoke)
	case line.Purge != 0:
		o.dropEvents(line.Purge)
	}
	return nil
}

// app finds a connected app by client id.
func (o *org) app(clientID string) (AppConfig, bool) {
	i := slices.IndexFunc(o.cfg.Apps, func(a AppConfig) bool { return a.ClientID == clientID })
	if i < 0 {
		return AppConfig{}, false
	}
	return o.cfg.Apps[i], true
}

// userNamed finds a user by username, or by id.
func (o *org) userNamed(name string) (UserConfig, bool) {
	for _, u := range o.cfg.Users {
		if u.Username == name || u.ID == name || u.ID[:shortIDLen] == name {
			return u, true
		}
	}
	return UserConfig{}, false
}

// nextCommitNumber is 19 digits, above what a float holds exactly, and rises.
func (o *org) nextCommitNumber(at time.Time) int64 {
	o.commitNumber = max(o.commitNumber+1, at.UnixNano())
	return o.commitNumber
}

// randomText returns n characters of base 62.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = base62[int(b[i])%62]
	}
	return string(b)
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// usage counts API calls over a rolling day, by minute.
type usage struct {
	minutes [1440]int32
	last    int64 // minute of the newest bucket
	total   int
}

// roll moves the window to now and returns the calls in it.
func (u *usage) roll(now time.Time) int {
	minute := now.Unix() / 60
	if minute-u.last >= int64(len(u.minutes)) {
		*u = usage{last: minute}
	}
	for u.last < minute {
		u.last++
		i := u.last % int64(len(u.minutes))
		u.total -= int(u.minutes[i])
		u.minutes[i] = 0
	}
	return u.total
}

// take counts one call if the limit allows it.
func (u *usage) take(now time.Time, limit int) bool {
	if u.roll(now) >= limit {
		return false
	}
	u.minutes[u.last%int64(len(u.minutes))]++
	u.total++
	return true
}
