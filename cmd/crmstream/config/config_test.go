package config

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEmptyFileIsTheDefault(t *testing.T) {
	c, err := Load(write(t, "# nothing\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !c.IsEmbedded() || c.Kafka.Partitions != 8 || c.HTTP.Listen != "127.0.0.1:8080" {
		t.Errorf("got %+v", c)
	}
}

func TestEveryMistakeIsReportedWithItsPlace(t *testing.T) {
	path := write(t, `kafka:
  brokerz: [a:9092]
  session: soon
http:
  listen: 8080
servers:
  sim: http://crm.example.com
webhooks:
  hubspot: {"12": plain-secret}
log: {level: loud}
`)
	_, err := Load(path, nil)
	if err == nil {
		t.Fatal("accepted")
	}
	if !strings.Contains(err.Error(), "c.yaml:2:3") || !strings.Contains(err.Error(), "did you mean brokers?") || !strings.Contains(err.Error(), "c.yaml:3:12") {
		t.Errorf("unclear:\n%v", err)
	}
	// Once the words are known, the meaning is checked, again all of it at once.
	fixed := write(t, `kafka:
  brokers: [a:9092]
http:
  listen: "8080"
servers:
  sim: http://crm.example.com
webhooks:
  hubspot: {"12": plain-secret}
log: {level: loud}
`)
	_, err = Load(fixed, nil)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"c.yaml:2:3", "c.yaml:4:3", "c.yaml:6:3", "not encrypted", "must be a reference", `log.level is "loud"`, "5 mistakes"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "plain-secret") {
		t.Errorf("a secret is repeated:\n%v", err)
	}
}

func TestEnvironmentOverrides(t *testing.T) {
	c, err := Load("", []string{"CRMSTREAM_HTTP_LISTEN=127.0.0.1:1", "CRMSTREAM_KAFKA_SESSION=9s", "CRMSTREAM_KAFKA_PARTITIONS=3", "CRMSTREAM_HTTP_PUBLIC_URL=https://x.example"})
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTP.Listen != "127.0.0.1:1" || c.Kafka.Session != 9*time.Second || c.Kafka.Partitions != 3 || c.HTTP.PublicURL != "https://x.example" {
		t.Errorf("got %+v", c)
	}
	if _, err := Load("", []string{"CRMSTREAM_KAFKA_PARTITIONS=many"}); err == nil || !strings.Contains(err.Error(), "CRMSTREAM_KAFKA_PARTITIONS") {
		t.Errorf("got %v", err)
	}
}

func TestSecretIsResolvedAndNeverRepeated(t *testing.T) {
	t.Setenv("A_SECRET", "s3cr3t")
	for ref, want := range map[string]string{"env:A_SECRET": "s3cr3t", "file:" + write(t, "from-file\n"): "from-file"} {
		if got, err := Secret(context.Background(), ref); err != nil || got != want {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
	if _, err := Secret(context.Background(), "s3cr3t"); err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("got %v", err)
	}
}

func TestTenantsReportsAllMistakes(t *testing.T) {
	_, err := Tenants("t.yaml", []byte(`tenant: a/b
timezone: Mars/Base
crm:
  salesforc:
    account: x
---
tenant: ok
country: USA
crm: {}
`), nil, nil)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"t.yaml:1:1", "t.yaml:2:1", "t.yaml:4:3", "t.yaml:8:1", "t.yaml:9:1", "5 mistakes"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

// The process's own file says what is wrong and how to mend it, too.
func TestMistakesOfAProcess(t *testing.T) {
	for src, want := range map[string]string{
		"kafka: {brokers: [127.0.0.1:9092], registry: x}\n": `kafka.brokers[0] must be a single value → a text, a number, true or false; in quotes where it has signs, as in "127.0.0.1:9092"`,
		"kafka: {partitions: many}\n":                       `kafka.partitions is no whole number: "many" → a whole number, such as 10`,
		"datta: x\n":                                        `unknown setting "datta" → did you mean data?`,
	} {
		if _, err := Load(write(t, src), nil); err == nil || !strings.Contains(strings.Join(strings.Fields(err.Error()), " "), want) {
			t.Errorf("%s: %v, want %q", src, err, want)
		}
	}
	if _, err := Load("", []string{"CRMSTREAM_KAFKA_PARTITIONS=x"}); err == nil || !strings.Contains(err.Error(), "such as 8") {
		t.Errorf("environment: %v", err)
	}
}
