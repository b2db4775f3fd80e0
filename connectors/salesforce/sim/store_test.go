package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// snapshot is everything of an org that must survive: records, keys, events as they are rendered, counters.
func snapshot(t interface{ Fatal(...any) }, o *org) map[string]any {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[string]any{"last": o.lastReplay, "commit": o.commitNumber}
	for _, obj := range objectList {
		tab := o.tables[obj]
		for _, s := range tab.order {
			out[s.rec.id] = string(obj.appendRecord(nil, s.rec, "", nil))
		}
		out["live "+obj.name] = tab.live
		for f, keys := range tab.unique {
			copied := map[string]string{}
			for k, v := range keys {
				copied[k] = v
			}
			out["keys "+obj.name+f.name] = copied
		}
	}
	for _, e := range o.events {
		line, err := o.logged(e.line)
		if err != nil {
			t.Fatal(err)
		}
		b, err := appendEventMessage(nil, line, e.index, "/data/ChangeEvents")
		if err != nil {
			t.Fatal(err)
		}
		out[fmt.Sprint("event ", e.replay)] = string(b)
	}
	return out
}

// TestReopenGivesTheSame: random transactions, some refused, some rolled back; then the folder is opened anew.
func TestReopenGivesTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "sim")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		clk := newClock()
		cfg := testConfig()
		cfg.Dir, cfg.Now = dir, clk.now
		sim, err := New(cfg)
		if err != nil {
			rt.Fatal(err)
		}
		o := sim.orgs[fixID(testOrg)]
		var ids []string
		for range rapid.IntRange(1, 25).Draw(rt, "transactions") {
			clk.add(time.Duration(rapid.IntRange(0, 90_000).Draw(rt, "ms")) * time.Millisecond)
			o.mu.Lock()
			before := len(o.events)
			tx := o.begin(actor{user: fixID(testUser), origin: "test"})
			for range rapid.IntRange(1, 5).Draw(rt, "rows") {
				ids = append(ids, randomRow(rt, tx, ids)...)
			}
			if rapid.IntRange(0, 4).Draw(rt, "roll back") == 0 {
				tx.rollback()
				if len(o.events) != before {
					rt.Fatal("a rolled-back transaction left events")
				}
			} else if err := tx.commit(); err != nil {
				rt.Fatal(err)
			}
			o.mu.Unlock()
		}
		want := snapshot(rt, o)
		defer sim.Close()                                 // after the reopening: a killed process closes nothing
		again, err := New(Config{Dir: dir, Now: clk.now}) // the org is known from its log alone
		if err != nil {
			rt.Fatal(err)
		}
		defer again.Close()
		got := snapshot(rt, again.orgs[fixID(testOrg)])
		if !reflect.DeepEqual(got, want) {
			for k := range want {
				if !reflect.DeepEqual(got[k], want[k]) {
					rt.Errorf("%s:\nwas %v\nis  %v", k, want[k], got[k])
				}
			}
			rt.Fatalf("%d entries became %d", len(want), len(got))
		}
	})
}

func randomRow(rt *rapid.T, tx *tx, ids []string) []string {
	fields := map[string]any{
		"Subject":           rapid.SampledFrom([]any{nil, "x", "y", "ünï \"q\" \u2028"}).Draw(rt, "subject"),
		"Status":            rapid.SampledFrom([]any{"Completed", "In Progress"}).Draw(rt, "status"),
		"Dialer_Call_Id__c": rapid.SampledFrom([]any{nil, "k1", "k2", "k3"}).Draw(rt, "key"),
	}
	if len(ids) > 0 && rapid.IntRange(0, 2).Draw(rt, "known") > 0 {
		id := rapid.SampledFrom(ids).Draw(rt, "id")
		switch rapid.IntRange(0, 3).Draw(rt, "act") {
		case 0:
			_ = tx.remove(taskObject, id, "") // refusals are part of the history
		case 1:
			_ = tx.restore(taskObject, id)
		default:
			_ = tx.update(taskObject, id, fields)
		}
		return nil
	}
	id, err := tx.insert(taskObject, fields)
	if err != nil {
		return nil
	}
	return []string{id}
}

func TestTornLineAndDamage(t *testing.T) {
	dir := t.TempDir()
	e := start(t, func(c *Config) { c.Dir = dir })
	id := e.create("Lead", map[string]any{"LastName": "a", "Company": "b"})
	e.stop()
	path := filepath.Join(dir, fixID(testOrg)+".log")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(whole, `{"tx":{"t":17,"c":[{"op":"CRE`...), 0o600); err != nil {
		t.Fatal(err)
	}
	token := e.token
	e = start(t, func(c *Config) { c.Dir = dir })
	e.token = token // access tokens survive
	e.want(200, "GET", v59+"/sobjects/Lead/"+id, nil)
	second := e.create("Lead", map[string]any{"LastName": "c", "Company": "d"})
	if second == id {
		t.Error("an id was given twice")
	}
	if err := e.sim.Close(); err != nil {
		t.Fatal(err)
	}
	// What cannot be logged is neither answered 2xx nor kept.
	contains(t, e.want(500, "POST", v59+"/sobjects/Lead", map[string]any{"LastName": "e", "Company": "f"}), "UNKNOWN_EXCEPTION")
	equal(t, e.want(200, "GET", "/_sim/count?object=Lead", nil), `{"count":2}`)
	e.stop()
	e = start(t, func(c *Config) { c.Dir = dir })
	e.want(200, "GET", v59+"/sobjects/Lead/"+second, nil)
	e.stop()
	whole[len(whole)/2], whole[0] = '}', 'x'
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Dir: dir}); err == nil {
		t.Error("a damaged log was opened")
	}
}

func TestConfigErrors(t *testing.T) {
	for name, oc := range map[string]OrgConfig{
		"id":     {ID: "00Dshort"},
		"user":   {ID: fixID(testOrg), Users: []UserConfig{{ID: "bad", Username: "u"}}},
		"key":    {ID: fixID(testOrg), Apps: []AppConfig{{ClientID: "c", PublicKeyPEM: "nonsense"}}},
		"entity": {ID: fixID(testOrg), CDC: []string{"Nope"}},
	} {
		if _, err := New(Config{Orgs: []OrgConfig{oc}}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
