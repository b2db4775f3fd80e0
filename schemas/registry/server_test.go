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
		{"POST /compatibility/subjects/t-value/versions/latest", posted(v1), 404, "error_code 40401"},

		{"POST /subjects/t-value/versions?normalize=False", posted(v1), 200, `{"id":1}`},
		{"POST /subjects/t-value/versions", posted(v1Again), 200, `{"id":1}`},
		{"POST /subjects/u-value/versions", posted(v1), 200, `{"id":1}`},
		{"GET /schemas/ids/1?subject=t-value", "", 200, `{"schema":` + quoted(v1) + `}`},
		{"GET /schemas/ids/1/versions", "", 200, `[{"subject":"t-value","version":1},{"subject":"u-value","version":1}]`},
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
		{"GET /subjects/t-value/versions/3", "", 404, "error_code 40402"},
		{"GET /subjects/t-value/versions/first", "", 422, "error_code 42202"},

		{"POST /subjects/t-value/versions", `{"schema":"{"}`, 422, "error_code 42201"},
		{"POST /subjects/t-value/versions", `{}`, 422, "error_code 42201"},
		{"POST /subjects/t-value/versions", `no JSON`, 422, "error_code 42201"},
		{"POST /subjects/t-value/versions", `{"schema":"syntax=3","schemaType":"PROTOBUF"}`, 422, "error_code 42201"},
		{"POST /subjects/t-value/versions", `{"schema":"\"int\"","references":[{"name":"x","subject":"y","version":1}]}`, 422, "error_code 42201"},

		{"GET /config", "", 200, `{"compatibilityLevel":"BACKWARD"}`},
		{"GET /config/t-value", "", 404, "error_code 40408"},
		{"GET /config/t-value?defaultToGlobal=True", "", 200, `{"compatibilityLevel":"BACKWARD"}`},
		{"PUT /config/t-value", `{"compatibility":"NONE"}`, 200, `{"compatibility":"NONE"}`},
		{"GET /config/t-value", "", 200, `{"compatibilityLevel":"NONE"}`},
		{"PUT /config", `{"compatibility":"FULL"}`, 200, `{"compatibility":"FULL"}`},
		{"GET /config", "", 200, `{"compatibilityLevel":"FULL"}`},
		{"PUT /config", `{"compatibility":"PERHAPS"}`, 422, "error_code 42203"},
		{"POST /subjects/t-value/versions", posted(broken), 200, `{"id":3}`},

		{"DELETE /subjects/t-value/versions/3", "", 200, `3`},
		{"GET /subjects/t-value/versions/3", "", 404, "error_code 40402"},
		{"GET /subjects/t-value/versions", "", 200, `[1,2]`},
		{"GET /subjects/t-value/versions?deleted=true", "", 200, `[1,2,3]`},
		{"DELETE /subjects/t-value?permanent=true", "", 404, "error_code 40405"},
		{"DELETE /subjects/t-value/versions/2?permanent=true", "", 404, "error_code 40407"},
		{"DELETE /subjects/t-value", "", 200, `[1,2]`},
		{"DELETE /subjects/t-value", "", 404, "error_code 40404"},
		{"DELETE /subjects/t-value/versions/3?permanent=true", "", 200, `3`},
		{"GET /subjects", "", 200, `["u-value"]`},
		{"GET /subjects?deleted=True", "", 200, `["t-value","u-value"]`},
		// What was written by a deleted schema can still be read.
		{"GET /schemas/ids/2", "", 200, `{"schema":` + quoted(v2) + `}`},
		{"DELETE /subjects/t-value?permanent=True", "", 200, `[1,2]`},
		{"GET /subjects?deleted=true", "", 200, `["u-value"]`},
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

// Everything is there after a restart: ids, versions, deletions, levels. An id that
// was given out would otherwise come to mean another schema.
func TestARestartForgetsNothing(t *testing.T) {
	brokers := cluster(t)
	url, stop := serve(t, brokers)
	register(t, url, "t-value", v1)
	register(t, url, "t-value", v2)
	register(t, url, "gone-value", `"int"`)
	for _, r := range []string{"PUT /config/t-value", "DELETE /subjects/gone-value", "PUT /config"} {
		method, path, _ := strings.Cut(r, " ")
		if status, _, body := ask(t, method, url+path, `{"compatibility":"FULL"}`); status != 200 {
			t.Fatal(body)
		}
	}
	paths := []string{
		"/subjects", "/subjects?deleted=true", "/subjects/t-value/versions/1", "/subjects/t-value/versions/2",
		"/schemas/ids/1", "/schemas/ids/2", "/schemas/ids/3", "/schemas/ids/4", "/config", "/config/t-value", "/config/gone-value",
	}
	var before []string
	for _, p := range paths {
		status, _, body := ask(t, "GET", url+p, "")
		before = append(before, fmt.Sprint(status, body))
	}
	stop()
	url, _ = serve(t, brokers)
	for i, p := range paths {
		if status, _, body := ask(t, "GET", url+p, ""); fmt.Sprint(status, body) != before[i] {
			t.Errorf("GET %s: %s before, %d %s after", p, before[i], status, body)
		}
	}
	if id := register(t, url, "u-value", v2); id != 2 {
		t.Errorf("a schema with id 2 got id %d after the restart", id)
	}
	if id := register(t, url, "u-value", `{"type":"record","name":"T","fields":[{"name":"a","type":"string","doc":"new"}]}`); id != 4 {
		t.Errorf("a new schema got id %d, want 4", id)
	}
}

// The topic is one that other tools know: compacted, one partition, Confluent's keys
// and values.
func TestTheTopic(t *testing.T) {
	brokers := cluster(t)
	url, _ := serve(t, brokers)
	register(t, url, "t-value", v1)
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(SchemasTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx := within(t, 10*time.Second)
	adm := kadm.NewClient(cl)
	topics, err := adm.ListTopics(ctx, SchemasTopic)
	if err != nil || len(topics[SchemasTopic].Partitions) != 1 {
		t.Errorf("%d partitions, %v", len(topics[SchemasTopic].Partitions), err)
	}
	configs, err := adm.DescribeTopicConfigs(ctx, SchemasTopic)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range configs[0].Configs {
		if c.Key == "cleanup.policy" && c.MaybeValue() != "compact" {
			t.Errorf("cleanup.policy is %q: schemas would be thrown away by age", c.MaybeValue())
		}
	}
	fs := cl.PollFetches(ctx)
	if err := fs.Err(); err != nil {
		t.Fatal(err)
	}
	var key struct {
		Type    string `json:"keytype"`
		Subject string `json:"subject"`
		Version int    `json:"version"`
		Magic   int    `json:"magic"`
	}
	var value struct {
		Subject string `json:"subject"`
		Version int    `json:"version"`
		ID      int    `json:"id"`
		Schema  string `json:"schema"`
		Deleted *bool  `json:"deleted"`
	}
	r := fs.Records()[0]
	if err := json.Unmarshal(r.Key, &key); err != nil || key.Type != "SCHEMA" || key.Subject != "t-value" || key.Version != 1 || key.Magic != 1 {
		t.Errorf("key %s", r.Key)
	}
	if err := json.Unmarshal(r.Value, &value); err != nil || value.Subject != "t-value" || value.Version != 1 || value.ID != 1 || value.Schema != v1 || value.Deleted == nil || *value.Deleted {
		t.Errorf("value %s", r.Value)
	}
}

// What is no record of a registry, or was written by another one, does not keep ours
// from starting.
func TestStrangeRecordsOnTheTopic(t *testing.T) {
	brokers := cluster(t)
	url, stop := serve(t, brokers)
	register(t, url, "t-value", v1)
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for _, kv := range [][2]string{
		{"no JSON", "x"},
		{`{"keytype":"NOOP","magic":0}`, ""},
		{`{"keytype":"SCHEMA","subject":"t-value","version":2,"magic":1}`, "no JSON"},
		{`{"keytype":"CONFIG","magic":0}`, "no JSON"},
	} {
		if err := cl.ProduceSync(within(t, 10*time.Second), &kgo.Record{Topic: SchemasTopic, Key: []byte(kv[0]), Value: []byte(kv[1])}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	url, _ = serve(t, brokers)
	if _, _, body := ask(t, "GET", url+"/subjects/t-value/versions", ""); body != `[1]` {
		t.Errorf("versions %s", body)
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
	if id, err := s.register(within(t, 20*time.Second), "t-value", v1); err == nil {
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
