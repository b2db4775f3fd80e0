package registry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/crmstream/crmstream/schemas"
)

const (
	v1      = `{"type":"record","name":"T","fields":[{"name":"a","type":"string"}]}`
	v1Again = `{ "name": "T", "type": "record",
		"fields": [ {"type": "string", "name": "a"} ] }`
	v2     = `{"type":"record","name":"T","fields":[{"name":"a","type":"string"},{"name":"b","type":"string","default":""}]}`
	broken = `{"type":"record","name":"T","fields":[{"name":"a","type":"long"}]}`
)

// posted is a schema as clients post it.
func posted(schema string) string {
	b, err := json.Marshal(map[string]any{"schema": schema, "schemaType": "AVRO", "references": []any{}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Each line is one request as clients of other makers send it, in order, and the
// answer that they need to go on.
func TestWhatForeignClientsAsk(t *testing.T) {
	url, _ := serve(t, cluster(t))
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	shownAs := func(version, id int, schema string) string {
		return fmt.Sprintf(`{"id":%d,"references":[],"schema":%s,"subject":"t-value","version":%d}`, id, quoted(schema), version)
	}
	for _, step := range []struct {
		request string
		body    string
		status  int
		want    string // the whole body; of an error "error_code N"
	}{
		{"GET /", "", 200, `{}`},
		{"GET /schemas/types", "", 200, `["AVRO"]`},
		{"GET /mode", "", 200, `{"mode":"READWRITE"}`},
		{"GET /associations/resources/-/t?resourceType=topic&associationType=value", "", 404, "error_code 404"},
		{"GET /subjects?deleted=false&deleted_only=false&offset=0&limit=-1", "", 200, `[]`},
		{"GET /schemas/ids/1", "", 404, "error_code 40403"},
		{"GET /schemas/ids/one", "", 404, "error_code 40403"},
		{"GET /subjects/t-value/versions", "", 404, "error_code 40401"},
		{"GET /subjects/t-value/versions/latest", "", 404, "error_code 40401"},
		{"POST /subjects/t-value?normalize=False&deleted=False", posted(v1), 404, "error_code 40401"},
		{"POST /compatibility/subjects/t-value/versions/latest", posted(v1), 200, `{"is_compatible":true}`},
		{"POST /compatibility/subjects/t-value/versions", posted(v1), 200, `{"is_compatible":true}`},
		{"POST /compatibility/subjects/t-value/versions/1", posted(v1), 404, "error_code 40401"},
		{"GET /contexts?offset=0&limit=-1", "", 200, `["."]`},

		{"POST /subjects/t-value/versions?normalize=False", posted(v1), 200, `{"id":1}`},
		{"POST /subjects/t-value/versions", posted(v1Again), 200, `{"id":1}`},
		{"POST /subjects/t-value/versions", `{"schema":"{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"a\",\"type\":\"string\"}]}","metadata":null,"ruleSet":null}`, 200, `{"id":1}`},
		{"POST /subjects/u-value/versions", posted(v1), 200, `{"id":1}`},
		{"GET /schemas/ids/1?subject=t-value", "", 200, `{"schema":` + quoted(v1) + `}`},
		{"GET /schemas/ids/1/versions", "", 200, `[{"subject":"t-value","version":1},{"subject":"u-value","version":1}]`},
		{"GET /schemas/ids/1/versions?subject=u-value&deleted=False", "", 200, `[{"subject":"u-value","version":1}]`},
		{"GET /schemas/ids/1/versions?offset=1&limit=-1", "", 200, `[{"subject":"u-value","version":1}]`},
		{"GET /schemas/ids/1/subjects?offset=0&limit=-1", "", 200, `["t-value","u-value"]`},
		{"GET /schemas/ids/7/subjects", "", 404, "error_code 40403"},
		{"GET /schemas/ids/1/schema", "", 200, v1},
		{"GET /schemas/ids/7/schema", "", 404, "error_code 40403"},
		{"GET /schemas?subjectPrefix=t-", "", 200, "[" + shownAs(1, 1, v1) + "]"},
		{"POST /subjects/t-value?normalize=False&deleted=False", posted(v1), 200, shownAs(1, 1, v1)},
		{"POST /subjects/t-value", posted(v2), 404, "error_code 40403"},
		{"GET /subjects", "", 200, `["t-value","u-value"]`},

		{"POST /compatibility/subjects/t-value/versions/latest?normalize=False&verbose=False", posted(v2), 200, `{"is_compatible":true}`},
		{"POST /compatibility/subjects/t-value/versions/latest", posted(broken), 200, `{"is_compatible":false}`},
		{"POST /subjects/t-value/versions", posted(broken), 409, "error_code 409"},
		{"POST /subjects/t-value/versions", posted(v2), 200, `{"id":2}`},
		{"GET /subjects/t-value/versions", "", 200, `[1,2]`},
		{"GET /subjects/t-value/versions/latest?deleted=false", "", 200, shownAs(2, 2, v2)},
		{"GET /subjects/t-value/versions/-1", "", 200, shownAs(2, 2, v2)},
		{"GET /subjects/t-value/versions/1", "", 200, shownAs(1, 1, v1)},
		{"GET /subjects/t-value/versions/1/schema", "", 200, v1},
		{"GET /subjects/t-value/versions/9/schema", "", 404, "error_code 40402"},
		{"GET /subjects/t-value/versions/1/referencedby?offset=0&limit=-1", "", 200, `[]`},
		{"GET /subjects/t-value/versions?offset=1&limit=1", "", 200, `[2]`},
		{"GET /schemas?latestOnly=true&subjectPrefix=t-", "", 200, "[" + shownAs(2, 2, v2) + "]"},
		{"GET /subjects?subjectPrefix=u", "", 200, `["u-value"]`},
		// A version by its number is compared with, whatever came after it.
		{"POST /compatibility/subjects/t-value/versions/1", posted(v1Again), 200, `{"is_compatible":true}`},
		{"POST /compatibility/subjects/t-value/versions/3", posted(v1), 404, "error_code 40402"},
		{"POST /compatibility/subjects/t-value/versions/x", posted(v1), 422, "error_code 42202"},
		{"POST /subjects/t-value/versions", `{"schema":"\"long\"","id":77}`, 422, "error_code 42205"},
		{"GET /subjects/t-value/versions/3", "", 404, "error_code 40402"},
		{"GET /subjects/t-value/versions/first", "", 422, "error_code 42202"},

		{"POST /subjects/t-value/versions", `{"schema":"{"}`, 422, "error_code 42201"},
		{"POST /subjects/t-value/versions", `{}`, 422, "error_code 42201"},
		{"POST /subjects/t-value/versions", `no JSON`, 422, "error_code 42201"},
		{"POST /subjects/t-value/versions", `{"schema":"syntax=3","schemaType":"PROTOBUF"}`, 422, "error_code 42201"},
		{"POST /subjects/t-value/versions", `{"schema":"\"int\"","ruleSet":{"domainRules":[]}}`, 422, "error_code 42201"},
		{"POST /subjects/t-value/versions", `{"schema":"\"int\"","metadata":{"tags":{}}}`, 422, "error_code 42201"},
		{"POST /subjects/t-value/versions", `{"schema":"\"int\"","references":[{"name":"x","subject":"y","version":1}]}`, 422, "error_code 42201"},

		{"GET /config", "", 200, `{"compatibilityLevel":"BACKWARD"}`},
		{"GET /config/t-value", "", 404, "error_code 40408"},
		{"GET /config/t-value?defaultToGlobal=True", "", 200, `{"compatibilityLevel":"BACKWARD"}`},
		{"PUT /config/t-value", `{"compatibility":"NONE"}`, 200, `{"compatibility":"NONE"}`},
		{"GET /config/t-value", "", 200, `{"compatibilityLevel":"NONE"}`},
		{"PUT /config", `{"compatibility":"FULL"}`, 200, `{"compatibility":"FULL"}`},
		{"GET /config", "", 200, `{"compatibilityLevel":"FULL"}`},
		{"PUT /config", `{"compatibility":"PERHAPS"}`, 422, "error_code 42203"},
		{"DELETE /config", "", 200, `{"compatibilityLevel":"FULL"}`},
		{"GET /config", "", 200, `{"compatibilityLevel":"BACKWARD"}`},
		{"DELETE /config/u-value", "", 404, "error_code 40401"},

		{"GET /mode/t-value", "", 404, "error_code 40409"},
		{"GET /mode/t-value?defaultToGlobal=true", "", 200, `{"mode":"READWRITE"}`},
		{"PUT /mode/t-value?force=False", `{"mode":"readonly"}`, 200, `{"mode":"READONLY"}`},
		{"GET /mode/t-value", "", 200, `{"mode":"READONLY"}`},
		{"PUT /mode", `{"mode":"IMPORT"}`, 422, "error_code 42204"},
		{"POST /subjects/t-value/versions", posted(v1), 200, `{"id":1}`}, // it is there already
		{"POST /subjects/t-value/versions", posted(broken), 422, "error_code 42205"},
		{"DELETE /subjects/t-value", "", 422, "error_code 42205"},
		{"DELETE /subjects/t-value/versions/1", "", 422, "error_code 42205"},
		{"DELETE /mode/t-value", "", 200, `{"mode":"READONLY"}`},
		{"DELETE /mode/t-value", "", 404, "error_code 40401"},
		{"POST /subjects/t-value/versions", posted(broken), 200, `{"id":3}`},

		{"DELETE /subjects/t-value/versions/3", "", 200, `3`},
		{"GET /subjects/t-value/versions/3", "", 404, "error_code 40402"},
		{"GET /subjects/t-value/versions", "", 200, `[1,2]`},
		{"GET /subjects/t-value/versions?deleted=true", "", 200, `[1,2,3]`},
		{"GET /subjects/t-value/versions?deleted_only=True", "", 200, `[3]`},
		{"GET /subjects?deleted_only=True", "", 200, `[]`},
		{"DELETE /subjects/t-value/versions/3", "", 404, "error_code 40406"},
		{"DELETE /subjects/t-value/versions/9?permanent=true", "", 404, "error_code 40402"},
		{"DELETE /subjects/t-value?permanent=true", "", 404, "error_code 40405"},
		{"DELETE /subjects/t-value/versions/2?permanent=true", "", 404, "error_code 40407"},
		{"DELETE /subjects/t-value", "", 200, `[1,2]`},
		{"DELETE /subjects/t-value", "", 404, "error_code 40404"},
		{"GET /config/t-value", "", 404, "error_code 40408"}, // it went with the subject
		{"GET /subjects?deletedOnly=true", "", 200, `["t-value"]`},
		{"DELETE /subjects/t-value/versions/3?permanent=true", "", 200, `3`},
		{"GET /subjects", "", 200, `["u-value"]`},
		{"GET /subjects?deleted=True", "", 200, `["t-value","u-value"]`},
		// What was written by a deleted schema can still be read.
		{"GET /schemas/ids/2", "", 200, `{"schema":` + quoted(v2) + `}`},
		{"DELETE /subjects/t-value?permanent=True", "", 200, `[1,2]`},
		{"GET /subjects?deleted=true", "", 200, `["u-value"]`},
		{"GET /schemas/ids/2", "", 404, "error_code 40403"},
		{"GET /schemas/ids/1", "", 200, `{"schema":` + quoted(v1) + `}`},
	} {
		method, path, _ := strings.Cut(step.request, " ")
		status, kind, body := ask(t, method, url+path, step.body)
		if kind != contentType {
			t.Errorf("%s: content type %q", step.request, kind)
		}
		got := body
		if strings.HasPrefix(step.want, "error_code") {
			var e struct {
				Code    int    `json:"error_code"`
				Message string `json:"message"`
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil || e.Message == "" {
				t.Errorf("%s: %q is no error of the API", step.request, body)
			}
			got = fmt.Sprintf("error_code %d", e.Code)
		}
		if status != step.status || got != step.want {
			t.Errorf("%s %s\n got %d %s\nwant %d %s", step.request, step.body, status, body, step.status, step.want)
		}
	}
}

func TestAClientInGo(t *testing.T) {
	url, _ := serve(t, cluster(t))
	cl, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	ctx := within(t, 20*time.Second)
	first, err := cl.CreateSchema(ctx, "t-value", sr.Schema{Schema: v1})
	if err != nil {
		t.Fatal(err)
	}
	if first.Subject != "t-value" || first.Version != 1 || first.ID != 1 {
		t.Errorf("created %+v", first)
	}
	ok, err := cl.CheckCompatibility(ctx, "t-value", -1, sr.Schema{Schema: broken})
	if err != nil || ok.Is {
		t.Errorf("compatible %v, %v", ok.Is, err)
	}
	found, err := cl.LookupSchema(ctx, "t-value", sr.Schema{Schema: v1Again})
	if err != nil || found.ID != first.ID {
		t.Errorf("found %+v, %v", found, err)
	}
	uses, err := cl.SchemaVersionsByID(ctx, 1)
	if err != nil || len(uses) != 1 || uses[0].Subject != "t-value" || uses[0].Version != 1 {
		t.Errorf("uses %+v, %v", uses, err)
	}
	for _, r := range cl.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFullTransitive}, "t-value") {
		if r.Err != nil || r.Level != sr.CompatFullTransitive {
			t.Errorf("%+v", r)
		}
	}
	if subjects, err := cl.Subjects(ctx); err != nil || len(subjects) != 1 {
		t.Errorf("subjects %v, %v", subjects, err)
	}
	if ns, err := cl.DeleteSubject(ctx, "t-value", sr.SoftDelete); err != nil || len(ns) != 1 {
		t.Errorf("deleted %v, %v", ns, err)
	}
}

// Which change each level lets through. v2 adds a field with a default: old and new
// read each other. add and drop go one way only.
func TestLevels(t *testing.T) {
	const (
		add  = `{"type":"record","name":"T","fields":[{"name":"a","type":"string"},{"name":"c","type":"string"}]}`
		drop = `{"type":"record","name":"T","fields":[]}`
	)
	url, _ := serve(t, cluster(t))
	for level, may := range map[string]map[string]bool{
		"NONE":     {v2: true, add: true, drop: true, broken: true},
		"BACKWARD": {v2: true, add: false, drop: true, broken: false},
		"FORWARD":  {v2: true, add: true, drop: false, broken: false},
		"FULL":     {v2: true, add: false, drop: false, broken: false},
	} {
		subject := strings.ToLower(level) + "-value"
		register(t, url, subject, v1)
		if status, _, body := ask(t, "PUT", url+"/config/"+subject, `{"compatibility":"`+level+`"}`); status != 200 {
			t.Fatal(body)
		}
		for schema, want := range may {
			_, _, body := ask(t, "POST", url+"/compatibility/subjects/"+subject+"/versions/latest", posted(schema))
			if want != (body == `{"is_compatible":true}`) {
				t.Errorf("%s: %s after %s: %s", level, schema, v1, body)
			}
		}
	}
}

// BACKWARD asks the newest version alone, BACKWARD_TRANSITIVE all of them: a field
// that went may not come back as something else.
func TestTransitiveLevelsAskAllVersions(t *testing.T) {
	const empty = `{"type":"record","name":"T","fields":[]}`
	const returns = `{"type":"record","name":"T","fields":[{"name":"a","type":"long","default":0}]}`
	url, _ := serve(t, cluster(t))
	for level, want := range map[string]int{"BACKWARD": 200, "BACKWARD_TRANSITIVE": 409} {
		subject := strings.ToLower(level) + "-value"
		if status, _, body := ask(t, "PUT", url+"/config/"+subject, `{"compatibility":"`+level+`"}`); status != 200 {
			t.Fatal(body)
		}
		register(t, url, subject, v1)
		register(t, url, subject, empty)
		if status, _, body := ask(t, "POST", url+"/subjects/"+subject+"/versions", posted(returns)); status != want {
			t.Errorf("%s: %d %s", level, status, body)
		}
	}
}

func TestALargeRequestIsTurnedAway(t *testing.T) {
	url, _ := serve(t, cluster(t))
	status, _, body := ask(t, "POST", url+"/subjects/t-value/versions", `{"schema":"`+strings.Repeat("x", maxBody)+`"}`)
	if status != http.StatusRequestEntityTooLarge || !strings.Contains(body, `"error_code":413`) {
		t.Errorf("%d %s", status, body)
	}
}

// Many clients register the same and different schemas at once: one id per schema,
// one schema per id.
func TestManyClientsAtOnce(t *testing.T) {
	url, _ := serve(t, cluster(t))
	cl, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	ctx := within(t, 30*time.Second)
	const clients, kinds = 24, 6
	ids := make([]int, clients)
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			s := fmt.Sprintf(`{"type":"record","name":"T%d","fields":[]}`, i%kinds)
			ids[i], errs[i] = cl.RegisterSchema(ctx, fmt.Sprintf("s%d-value", i), sr.Schema{Schema: s}, -1, -1)
		})
	}
	wg.Wait()
	byID := make(map[int]int)
	for i := range clients {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if k, ok := byID[ids[i]]; ok && k != i%kinds {
			t.Errorf("id %d is two schemas", ids[i])
		}
		byID[ids[i]] = i % kinds
	}
	if len(byID) != kinds {
		t.Errorf("%d ids for %d schemas", len(byID), kinds)
	}
}

// A schema that Kafka did not take is not given out: the next one who asks would get
// an id that a restart forgets.
func TestNothingIsAnsweredBeforeKafkaHasIt(t *testing.T) {
	brokers := cluster(t)
	// Idempotent producers wait as long as they must; this one may give up.
	s, err := NewServer(t.Context(), ServerConfig{Brokers: brokers, Opts: []kgo.Opt{kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordDeliveryTimeout(time.Second)}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).DeleteTopics(within(t, 10*time.Second), SchemasTopic); err != nil {
		t.Fatal(err)
	}
	if id, err := s.register(within(t, 20*time.Second), "t-value", v1, 0); err == nil {
		t.Fatalf("id %d was given out, and no topic holds it", id)
	}
	if len(s.texts) != 0 || len(s.ids) != 0 {
		t.Errorf("it remembers %v", s.texts)
	}
}

// Our own schemas are at home in it: those of all topics, a second time, after a
// restart.
func TestOurSchemas(t *testing.T) {
	brokers := cluster(t)
	url, stop := serve(t, brokers)
	c := NewCodec(url)
	if err := c.Register(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	b, err := c.Append(nil, schemas.TopicDeadLetters, &schemas.DeadLetter{Tenant: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	url, _ = serve(t, brokers)
	v, err := NewCodec(url).Decode(within(t, 10*time.Second), schemas.TopicDeadLetters, b)
	if err != nil {
		t.Fatal(err)
	}
	if got := v.(*schemas.DeadLetter).Tenant; got != "acme" {
		t.Errorf("tenant %q", got)
	}
}
