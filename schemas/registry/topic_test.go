package registry

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

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

// What is deleted for good leaves the topic. Its ids do not come back all the same:
// records in topics bear them. Levels and modes that were taken back stay so.
func TestARestartAfterDeletionsForGood(t *testing.T) {
	brokers := cluster(t)
	url, stop := serve(t, brokers)
	register(t, url, "u-value", v1)
	register(t, url, "t-value", v1)
	register(t, url, "t-value", v2)
	for _, step := range [][2]string{
		{"PUT /config", `{"compatibility":"FULL"}`}, {"PUT /config/u-value", `{"compatibility":"NONE"}`},
		{"PUT /mode", `{"mode":"READONLY"}`}, {"PUT /mode/u-value", `{"mode":"READONLY"}`},
		{"DELETE /mode", ""}, {"DELETE /mode/u-value", ""}, {"DELETE /config", ""}, {"DELETE /config/u-value", ""},
		{"DELETE /subjects/t-value", ""}, {"DELETE /subjects/t-value?permanent=true", ""},
	} {
		method, path, _ := strings.Cut(step[0], " ")
		if status, _, body := ask(t, method, url+path, step[1]); status != 200 {
			t.Fatalf("%s: %s", step[0], body)
		}
	}
	// What a log cleaner leaves of the topic.
	stop()
	compacted := cluster(t)
	compact(t, brokers, compacted)
	for _, b := range [][]string{brokers, compacted} {
		url, stop := serve(t, b)
		afterDeletionsForGood(t, url)
		stop()
	}
}

func afterDeletionsForGood(t *testing.T, url string) {
	t.Helper()
	for path, want := range map[string]string{
		"/subjects?deleted=true": `["u-value"]`, "/schemas/ids/1/versions": `[{"subject":"u-value","version":1}]`,
		"/config": `{"compatibilityLevel":"BACKWARD"}`, "/mode": `{"mode":"READWRITE"}`,
	} {
		if _, _, body := ask(t, "GET", url+path, ""); body != want {
			t.Errorf("GET %s: %s, want %s", path, body, want)
		}
	}
	for _, path := range []string{"/schemas/ids/2", "/config/u-value", "/mode/u-value"} {
		if status, _, body := ask(t, "GET", url+path, ""); status != 404 {
			t.Errorf("GET %s: %d %s", path, status, body)
		}
	}
	if id := register(t, url, "t-value", `"long"`); id != 3 {
		t.Errorf("a new schema got id %d: 1 and 2 were given out before", id)
	}
}

// Each half of a comparison with one version: what the newest lets through, an older
// one may not, and the other way round.
func TestComparedWithOneVersion(t *testing.T) {
	const number = `{"type":"record","name":"T","fields":[{"name":"b","type":"long"}]}`
	url, _ := serve(t, cluster(t))
	if status, _, body := ask(t, "PUT", url+"/config/t-value", `{"compatibility":"NONE"}`); status != 200 {
		t.Fatal(body)
	}
	register(t, url, "t-value", v1)
	register(t, url, "t-value", number)
	if status, _, body := ask(t, "DELETE", url+"/config/t-value", ""); status != 200 {
		t.Fatal(body)
	}
	for version, want := range map[string]string{"1": "true", "2": "false", "latest": "false"} {
		_, _, body := ask(t, "POST", url+"/compatibility/subjects/t-value/versions/"+version, posted(v2))
		if body != `{"is_compatible":`+want+`}` {
			t.Errorf("version %s: %s", version, body)
		}
	}
	_, _, body := ask(t, "POST", url+"/compatibility/subjects/t-value/versions/2?verbose=True", posted(v2))
	if !strings.Contains(body, `"messages":["`) {
		t.Errorf("no reason is given: %s", body)
	}
}

// A topic that Confluent's registry wrote says of a whole subject that it is deleted.
func TestADeletedSubjectOfAnotherRegistry(t *testing.T) {
	brokers := cluster(t)
	url, stop := serve(t, brokers)
	register(t, url, "t-value", v1)
	register(t, url, "t-value", v2)
	write(t, brokers, `{"keytype":"DELETE_SUBJECT","subject":"t-value","magic":0}`, []byte(`{"subject":"t-value","version":1}`))
	stop()
	url, _ = serve(t, brokers)
	if _, _, body := ask(t, "GET", url+"/subjects/t-value/versions", ""); body != `[2]` {
		t.Errorf("versions %s", body)
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
	for _, kv := range [][2]string{
		{"no JSON", "x"},
		{`{"keytype":"NOOP","magic":0}`, ""},
		{`{"keytype":"SCHEMA","subject":"t-value","version":2,"magic":1}`, "no JSON"},
		{`{"keytype":"CONFIG","magic":0}`, "no JSON"},
	} {
		write(t, brokers, kv[0], []byte(kv[1]))
	}
	stop()
	url, _ = serve(t, brokers)
	if _, _, body := ask(t, "GET", url+"/subjects/t-value/versions", ""); body != `[1]` {
		t.Errorf("versions %s", body)
	}
}
