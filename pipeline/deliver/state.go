package deliver

import (
	"encoding/binary"
	"fmt"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/value"
)

// Kinds of state entries. Those of sync are other letters.
const (
	kindEntry   state.Kind = 'o' // provider NUL key → entry
	kindQueue   state.Kind = 'q' // provider NUL priority seq → key
	kindAttempt state.Kind = 'a' // attempt id → schemas.Attempt
	kindAccount state.Kind = 'A' // provider → account
	kindCursor  state.Kind = 's' // provider NUL source → cursor
	kindFigures state.Kind = 'H' // provider → figures
)

// Kinds of timers. Those of sync are capitals.
const (
	timerDispatch byte = 'd' // provider: send what is ready
	timerRetry    byte = 'r' // provider NUL key: an entry may go on
	timerExpire   byte = 'x' // attempt id: it is over without an answer
	timerPoll     byte = 's' // provider NUL source: read the source again
	timerProbe    byte = 'k' // provider: try a parked account with one request
	timerHealth   byte = 'h' // provider: publish its figures anew if they have changed
)

// entry is one record of the outbox: at most one open attempt, and one waiting
// write into which later ones coalesce.
type entry struct {
	Kind          string          `avro:"kind"` // schemas.KindWrite, KindRead, KindPage
	Provider      string          `avro:"provider"`
	Account       string          `avro:"account"` // id that it is for; "" = whichever it is (pages)
	Object        string          `avro:"object"`
	Key           string          `avro:"key"`
	ID            string          `avro:"id"`
	IdentityField string          `avro:"identity_field"`
	Identity      string          `avro:"identity"`
	Waiting       bool            `avro:"waiting"`
	Fields        []schemas.Field `avro:"fields"` // waiting
	Associations  []schemas.Link  `avro:"associations"`
	Revision      int64           `avro:"revision"` // waiting
	Priority      int32           `avro:"priority"`
	Seq           int64           `avro:"seq"`     // place in the queue; 0 = not queued
	Attempt       string          `avro:"attempt"` // open; "" = none
	Sent          []schemas.Field `avro:"sent"`    // by the open attempt
	SentLinks     []schemas.Link  `avro:"sent_links"`
	SentRevision  int64           `avro:"sent_revision"`
	LinkOnly      bool            `avro:"link_only"` // the waiting write is a follow-up of links
	Tries         int32           `avro:"tries"`
	MaxBatch      int32           `avro:"max_batch"`  // 0 = the profile's
	Unsure        string          `avro:"unsure"`     // attempt whose outcome is unknown
	FreeAt        int64           `avro:"free_at"`    // ms: other content may not leave before
	MayArrive     int64           `avro:"may_arrive"` // ms: until then an attempt without answer may still take effect
	Reported      bool            `avro:"reported"`   // of a page: that it fails stands in a dead letter
	Drops         bool            `avro:"drops"`      // fields that are refused by name are left out
	Needs         []string        `avro:"needs"`      // but for these
	Withdrawn     bool            `avro:"withdrawn"`  // what the open attempt wrote is not to be tried again
}

// account is the schedule of one CRM account of a tenant.
type account struct {
	Provider      string `avro:"provider"`
	ID            string `avro:"id"`
	ConfigVersion int64  `avro:"config_version"`
	Open          int32  `avro:"open"`         // attempts
	PausedUntil   int64  `avro:"paused_until"` // ms
	Parked        string `avro:"parked"`       // why; "" = not
	Probing       bool   `avro:"probing"`      // one attempt may go although parked
	Failures      int32  `avro:"failures"`     // requests that failed in a row
	Refused       int32  `avro:"refused"`      // credentials that were refused in a row
	ProbeAt       int64  `avro:"probe_at"`     // ms, of the last probe that was planned
	Waiting       int64  `avro:"waiting"`
	LastSync      int64  `avro:"last_sync"` // ms
	LastSent      int64  `avro:"last_sent"` // ms, of the last attempt
	State         string `avro:"state"`     // last published
	HealthAt      int64  `avro:"health_at"` // ms, when that was
	ShownSynced   int64  `avro:"shown_synced"`
	ShownErrors   int64  `avro:"shown_errors"`
	ShownWaiting  int64  `avro:"shown_waiting"`
	Ailing        string `avro:"ailing"` // a source that fails again and again; "" = none
	Drift         int32  `avro:"drift"`  // mapped fields that are not as the CRM describes them
	Gone          bool   `avro:"gone"`
	GoneAt        int64  `avro:"gone_at"` // ms, since when
	// Off are kinds of record that are not asked for; Again are sources that are read once
	// more, with the pages of each that were read: "Lead: 12 pages".
	Off   []string    `avro:"off"`
	Again []rereading `avro:"again"`
	Line  int64       `avro:"line"` // place in the line for the partition's attempts; 0 = in none
}

// rereading is a source that is read once more.
type rereading struct {
	Source string `avro:"source"`
	Pages  int64  `avro:"pages"`
}

// cursor is how far a source has been read.
type cursor struct {
	Cursor string `avro:"cursor"`
	Loaded bool   `avro:"loaded"`  // read to its end once
	PollAt int64  `avro:"poll_at"` // ms, when it is read again; 0 = no timer
	Marked string `avro:"marked"`  // attempt whose marker came last
}

var (
	entries  = value.New[entry]("outbox entry")
	accounts = value.New[account]("account")
	attempts = value.New[schemas.Attempt]("attempt")
	cursors  = value.New[cursor]("cursor")
	tables   = value.New[figures]("figures of an account")
)

// box is the outbox of one tenant in one transaction.
type box struct {
	d  *Deliver
	tx *pipeline.Tx
	t  state.Tenant
	// settled collects what sync is to be told.
	settled []pipeline.Settlement
	// count of what came to an end, until it is added to the figures
	ended hour
}

func get[T any](b *box, c *value.Codec[T], k state.Kind, id string) (*T, bool, error) {
	raw, ok, err := b.tx.Store.Get(b.t.Key(k, id))
	if err != nil || !ok {
		return nil, false, err
	}
	v := new(T)
	if err := c.Unmarshal(raw, v); err != nil {
		return nil, false, fmt.Errorf("%w: %w", pipeline.ErrCorrupt, err)
	}
	return v, true, nil
}

func put[T any](b *box, c *value.Codec[T], k state.Kind, id string, v *T) {
	b.tx.Store.Put(b.t.Key(k, id), c.Marshal(v))
}

func entryID(provider, key string) string { return provider + "\x00" + key }

func (b *box) entry(provider, key string) (*entry, bool, error) {
	return get(b, entries, kindEntry, entryID(provider, key))
}

func (b *box) save(e *entry) { put(b, entries, kindEntry, entryID(e.Provider, e.Key), e) }

func (b *box) account(provider string) (*account, bool, error) {
	return get(b, accounts, kindAccount, provider)
}

func (b *box) saveAccount(a *account) { put(b, accounts, kindAccount, a.Provider, a) }

func queueID(provider string, priority int32, seq int64) string {
	k := append([]byte(provider), 0, byte(priority))
	return string(binary.BigEndian.AppendUint64(k, uint64(seq)))
}

func (b *box) timer(due int64, kind byte, id string) {
	b.tx.Schedule(pipeline.Timer{Due: due, Tenant: b.t.Name(), Kind: kind, ID: id})
}
