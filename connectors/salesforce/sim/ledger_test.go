package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
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
	resp, err := e.srv.Client().Get(e.srv.URL + "/_sim/writes?org=" + testOrg)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		e.t.Fatal(err)
	}
	return out
}

// ask is a vendor request that returns when the answer is there.
func (e *env) ask(method, path, body string) int {
	req, err := http.NewRequest(method, e.srv.URL+path, strings.NewReader(body))
	if err != nil {
		e.t.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+e.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.srv.Client().Do(req)
	if err != nil {
		e.t.Error(err)
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

const tasks = v59 + "/composite/sobjects/Task/Dialer_Call_Id__c"

func callTask(call, text string) string {
	return fmt.Sprintf(`{"records":[{"attributes":{"type":"Task"},"Dialer_Call_Id__c":%q,"Description":%q}]}`, call, text)
}

// Every way to write a record is in the ledger under one name, with what was applied.
func TestWritesAreLedgered(t *testing.T) {
	e := start(t, nil)
	e.ask("PATCH", tasks, callTask("c1", "one"))
	id := e.written().Writes[0].Record
	e.ask("PATCH", v59+"/composite/sobjects", fmt.Sprintf(`{"records":[{"attributes":{"type":"Task"},"id":%q,"Description":"one"}]}`, id))
	e.ask("PATCH", v59+"/sobjects/Task/"+id, `{"Description":"two"}`)
	e.ask("PATCH", v59+"/sobjects/Task/Dialer_Call_Id__c/c1", `{"Description":"two"}`)
	e.ask("PATCH", v59+"/sobjects/Task/"+id, `{"Nonsense__c":"two"}`) // refused
	e.ask("POST", v59+"/sobjects/Task", `{"Description":"other"}`)
	e.ask("POST", v59+"/composite/sobjects", `{"records":[{"attributes":{"type":"Task"},"Description":"third"}]}`)
	e.ask("GET", v59+"/sobjects/Task/"+id, "")
	e.ask("DELETE", v59+"/composite/sobjects?ids="+id, "")
	out := e.written()
	var got []string
	hashes := make(map[string]string)
	for _, w := range out.Writes {
		hashes[string(w.Content)] = w.Hash
		got = append(got, fmt.Sprintf("%t %s %t %s", w.Record == id, w.Object, w.Applied > w.Received && w.Ended > w.Applied, w.Content))
	}
	want := []string{
		`true Task true {"Description":"one"}`, `true Task true {"Description":"one"}`, `true Task true {"Description":"two"}`, `true Task true {"Description":"two"}`,
		`true Task false {"Nonsense__c":"two"}`, `false Task true {"Description":"other"}`, `false Task true {"Description":"third"}`, `true Task true "deleted"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("ledger:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(hashes) != 6 || len(out.OpenTogether)+len(out.OutOfOrder) != 0 {
		t.Errorf("%v %v %v", hashes, out.OpenTogether, out.OutOfOrder)
	}
}

// A client that does not wait for a held answer, or for a late write, is found out.
func TestABrokenOrderIsSeen(t *testing.T) {
	e := start(t, nil)
	if err := e.sim.faults.Arm(simkit.Fault{Kind: "hold", Writes: true, DelayMS: 400}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { e.ask("PATCH", tasks, callTask("c1", "one")) })
	for deadline := time.Now().Add(10 * time.Second); len(e.written().Writes) == 0 || e.written().Writes[0].Applied == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the held write is not applied")
		}
	}
	e.ask("PATCH", tasks, callTask("c1", "two"))
	wg.Wait()
	if out := e.written(); len(out.OpenTogether) != 1 || len(out.OutOfOrder) != 0 {
		t.Errorf("%+v", out)
	}
	e.ask("PATCH", tasks, callTask("c1", "one"))
	if out := e.written(); len(out.OpenTogether) != 1 || len(out.OutOfOrder) != 1 {
		t.Errorf("%+v", out)
	}
}
