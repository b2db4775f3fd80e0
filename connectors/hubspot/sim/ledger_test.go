package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors/simkit"
)

// written is what the ledger says, as its reader sees it.
func (e *env) written() (out struct {
	Writes       []simkit.Write `json:"writes"`
	OpenTogether []simkit.Pair  `json:"open_together"`
	OutOfOrder   []simkit.Pair  `json:"out_of_order"`
}) {
	e.t.Helper()
	if err := json.Unmarshal([]byte(e.want(200, "GET", "/_sim/writes?portal=62515", "")), &out); err != nil {
		e.t.Fatal(err)
	}
	return out
}

func upsert(call, body string) string {
	return fmt.Sprintf(`{"inputs":[{"id":%q,"idProperty":"dialer_call_id","properties":{"hs_timestamp":"1","hs_call_body":%q}}]}`, call, body)
}

const callsUpsert = "/crm/v3/objects/calls/batch/upsert"

// Every way to write a record is in the ledger under one name, with what was applied.
func TestWritesAreLedgered(t *testing.T) {
	e := start(t, "", nil)
	contact := id(t, e.want(201, "POST", "/crm/v3/objects/contacts", `{"properties":{"email":"a@example.com"}}`))
	e.want(200, "POST", callsUpsert, upsert("c1", "one"))
	call := e.written().Writes[1].Record
	e.want(200, "POST", "/crm/v3/objects/calls/batch/update", `{"inputs":[{"id":"`+call+`","properties":{"hs_call_body":"two","dialer_call_id":"c1"}}]}`)
	e.want(200, "PATCH", "/crm/v3/objects/calls/c1?idProperty=dialer_call_id", `{"properties":{"hs_call_body":"two"}}`)
	e.want(400, "PATCH", "/crm/v3/objects/calls/"+call, `{"properties":{"nonsense":"two"}}`)
	e.want(200, "POST", "/crm/v4/associations/calls/contacts/batch/associate/default", `{"inputs":[{"from":{"id":"`+call+`"},"to":{"id":"`+contact+`"}}]}`)
	e.want(200, "PUT", "/crm/v4/objects/calls/"+call+"/associations/default/contacts/"+contact, "")
	e.want(200, "POST", "/crm/v3/objects/calls/batch/read", `{"inputs":[{"id":"`+call+`"}]}`)
	e.want(204, "DELETE", "/crm/v3/objects/calls/"+call, "")
	out := e.written()
	var got []string
	for _, w := range out.Writes[1:] {
		got = append(got, fmt.Sprintf("%t %s %s %t %s", w.Record == call || w.Identity == "dialer_call_id=c1", w.Object, w.Part, w.Applied > w.Received && w.Ended > w.Applied, w.Content))
	}
	want := []string{
		`true calls  true {"hs_call_body":"one","hs_timestamp":"1"}`, `true calls  true {"hs_call_body":"two"}`, `true calls  true {"hs_call_body":"two"}`,
		`true calls  false {"nonsense":"two"}`, `true calls links true ["associate/default","contacts","` + contact + `"]`,
		`true calls links true ["PUT","default","contacts","` + contact + `"]`, `true calls  true "archived"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("ledger:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(out.OpenTogether)+len(out.OutOfOrder) != 0 {
		t.Errorf("%v %v", out.OpenTogether, out.OutOfOrder)
	}
}

// A client that does not wait for a held answer, or brings back what is old, is found
// out; links are content, too.
func TestABrokenOrderIsSeen(t *testing.T) {
	e := start(t, "", nil)
	contact := id(t, e.want(201, "POST", "/crm/v3/objects/contacts", `{"properties":{"email":"a@example.com"}}`))
	if err := e.sim.faults.Arm(simkit.Fault{Kind: "hold", Writes: true, DelayMS: 400}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { e.do("POST", callsUpsert, upsert("c1", "one")) })
	for deadline := time.Now().Add(10 * time.Second); len(e.written().Writes) < 2 || e.written().Writes[1].Applied == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the held write is not applied")
		}
	}
	e.want(200, "PUT", "/crm/v4/objects/calls/"+e.written().Writes[1].Record+"/associations/default/contacts/"+contact, "")
	e.want(200, "POST", callsUpsert, upsert("c1", "two"))
	wg.Wait()
	if out := e.written(); len(out.OpenTogether) != 2 || len(out.OutOfOrder) != 0 {
		t.Errorf("%+v", out)
	}
	e.want(200, "POST", callsUpsert, upsert("c1", "one"))
	if out := e.written(); len(out.OpenTogether) != 2 || len(out.OutOfOrder) != 1 {
		t.Errorf("%+v", out)
	}
}
