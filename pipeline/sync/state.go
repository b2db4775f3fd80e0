package sync

import (
	"fmt"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/value"
)

// Kinds of state entries. Those of deliver are other letters.
const (
	kindConfig  state.Kind = 'g' // → schemas.TenantConfig
	kindPerson  state.Kind = 'p' // id → person
	kindLink    state.Kind = 'l' // provider NUL object NUL id → person id
	kindContact state.Kind = 'c' // dialer contact id → person id
	kindEmail   state.Kind = 'e' // e-mail NUL person
	kindPhone   state.Kind = 'n' // E.164 NUL person
	kindCall    state.Kind = 'C' // call id → call
	kindHeld    state.Kind = 'h' // what it waits for NUL call id
	kindStream  state.Kind = 'S' // provider → stream position
	kindOwner   state.Kind = 'O' // provider NUL e-mail → owner id
	kindOwnerID state.Kind = 'I' // provider NUL owner id → e-mail
	kindUnknown state.Kind = 'u' // seq → record of a tenant that is not configured
	kindWaiting state.Kind = 'w' // there are such records
)

// Kinds of timers. Those of deliver are small letters.
const (
	timerRelease  byte = 'R' // what calls waited for: it is there
	timerGiveUp   byte = 'G' // call id: held too long
	timerForget   byte = 'F' // call id: outside the window of duplicates
	timerUnknown  byte = 'U' // tenant: its configuration came, or never did
	releaseAtOnce      = 100 // calls released in one tick
)

const (
	day           = int64(24 * 60 * 60 * 1000)
	callWindow    = 396 * day // thirteen months
	heldFor       = 30 * day
	unknownFor    = day
	unknownMost   = 10_000
	unknownBytes  = 64 << 20
	unknownAtOnce = 1000
)

// system entries: the tenants of a partition, and how much is held for unknown ones.
const sysTenant state.Kind = 'T'

type fieldValue struct {
	Name  string  `avro:"name"`
	Value *string `avro:"value"`
	At    int64   `avro:"at"`     // ms, at its origin
	From  string  `avro:"origin"` // "dialer" or a provider
	Ref   string  `avro:"ref"`    // the input that brought it
}

type link struct {
	Provider string          `avro:"provider"`
	Object   string          `avro:"object"`
	ID       string          `avro:"id"`
	Known    []schemas.Field `avro:"known"`  // mapped fields as the CRM holds them, in its form, by name
	Wanted   []schemas.Field `avro:"wanted"` // on their way to the CRM
	// Refused are values that the CRM did not take: they are not sent again until they
	// change, here or there.
	Refused  []schemas.Field `avro:"refused"`
	Account  string          `avro:"account"`
	Deleted  bool            `avro:"deleted"`
	Revision int64           `avro:"revision"` // of the last write
}

type person struct {
	ID        string       `avro:"id"`
	Fields    []fieldValue `avro:"fields"` // by name
	Links     []link       `avro:"links"`
	ContactID *string      `avro:"contact_id"`
	DNC       bool         `avro:"dnc"`
	DNCAt     int64        `avro:"dnc_at"`
	Status    string       `avro:"status"`
}

type activity struct {
	Provider string          `avro:"provider"`
	Object   string          `avro:"object"`
	ID       string          `avro:"id"`
	URL      string          `avro:"url"`
	Status   string          `avro:"status"`
	Reason   string          `avro:"reason"`
	At       int64           `avro:"at"`
	Fields   []schemas.Field `avro:"fields"` // as last wanted
	Person   schemas.Link    `avro:"person"`
	Revision int64           `avro:"revision"` // of the last write
	Local    bool            `avro:"local"`    // shown on sync.records under its local key
}

type call struct {
	Event      schemas.CallEvent `avro:"event"`
	Person     string            `avro:"person"`
	Ambiguous  bool              `avro:"ambiguous"`
	Candidates []schemas.Link    `avro:"candidates"`
	Status     string            `avro:"status"`
	Reason     string            `avro:"reason"`
	HeldOn     []string          `avro:"held_on"`    // what it waits for
	GiveUpAt   int64             `avro:"give_up_at"` // ms, while it is held; 0 = it is not
	Activities []activity        `avro:"activities"`
	Ref        string            `avro:"ref"`
}

type position struct {
	Epoch  int64  `avro:"epoch"`
	Cursor string `avro:"cursor"`
}

type heldRecord struct {
	Topic     string                 `avro:"topic"`
	Partition int32                  `avro:"partition"`
	Offset    int64                  `avro:"offset"`
	Timestamp int64                  `avro:"timestamp"`
	Key       []byte                 `avro:"key"`
	Value     []byte                 `avro:"value"`
	At        int64                  `avro:"at"`
	Call      *schemas.CallEvent     `avro:"call"`
	Contact   *schemas.ContactChange `avro:"contact"`
	Event     *schemas.DialerEvent   `avro:"event"`
	Change    *schemas.CRMChange     `avro:"change"`
	Result    *schemas.AttemptResult `avro:"result"`
	Action    *schemas.ControlAction `avro:"action"`
}

type heldTotal struct {
	Records int64 `avro:"records"`
	Bytes   int64 `avro:"bytes"`
}

var (
	configs    = value.New[schemas.TenantConfig]("tenant configuration")
	persons    = value.New[person]("person") // of which personcodec.go is a fast form
	calls      = value.New[call]("call")
	streams    = value.New[position]("stream position")
	heldRecs   = value.New[heldRecord]("held record")
	heldTotals = value.New[heldTotal]("held total")
)

// world is one tenant in one transaction.
type world struct {
	s    *Sync
	tx   *pipeline.Tx
	t    state.Tenant
	cfg  *schemas.TenantConfig
	want pipeline.Intents
	ref  string // the input under work
}

func get[T any](w *world, c *value.Codec[T], k state.Kind, id string) (*T, bool, error) {
	return load(w.tx, c, w.t.Key(k, id))
}

func load[T any](tx *pipeline.Tx, c *value.Codec[T], k state.Key) (*T, bool, error) {
	raw, ok, err := tx.Store.Get(k)
	if err != nil || !ok {
		return nil, false, err
	}
	v := new(T)
	if err := c.Unmarshal(raw, v); err != nil {
		return nil, false, fmt.Errorf("%w: %w", pipeline.ErrCorrupt, err)
	}
	return v, true, nil
}

func put[T any](w *world, c *value.Codec[T], k state.Kind, id string, v *T) {
	w.tx.Store.Put(w.t.Key(k, id), c.Marshal(v))
}

// text reads an entry that is a version byte and a text.
func (w *world) text(k state.Kind, id string) (string, bool, error) {
	raw, ok, err := w.tx.Store.Get(w.t.Key(k, id))
	if err != nil || !ok || len(raw) == 0 {
		return "", false, err
	}
	return string(raw[1:]), true, nil
}

func (w *world) setText(k state.Kind, id, v string) {
	w.tx.Store.Put(w.t.Key(k, id), append([]byte{1}, v...))
}

// mark sets an index entry; has reports whether it was there.
func (w *world) mark(k state.Kind, id string) (had bool, err error) {
	key := w.t.Key(k, id)
	if _, had, err = w.tx.Store.Get(key); err == nil && !had {
		w.tx.Store.Put(key, []byte{1})
	}
	return had, err
}

// members lists at most limit ids that an index holds for a value.
func (w *world) members(k state.Kind, v string, limit int) ([]string, error) {
	prefix := w.t.Prefix(k, v+"\x00")
	var ids []string
	err := w.tx.Store.Scan(prefix, state.Key{}, func(key state.Key, _ []byte) (bool, error) {
		ids = append(ids, key.ID()[len(v)+1:])
		return len(ids) < limit, nil
	})
	return ids, err
}

func linkID(provider, object, id string) string { return provider + "\x00" + object + "\x00" + id }

func (w *world) profile(provider string) (*profile.Profile, bool) {
	p, ok := w.s.profiles[provider]
	return p, ok
}

func (w *world) timer(due int64, kind byte, id string) {
	w.tx.Schedule(pipeline.Timer{Due: due, Tenant: w.t.Name(), Kind: kind, ID: id})
}
