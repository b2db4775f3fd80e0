package demo

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
)

// What the demo writes for other commands is a configuration that they take, on its own
// broker and on an Apache Kafka.
func TestClientFile(t *testing.T) {
	servers := map[string]string{salesforce: "http://127.0.0.1:8091", hubspot: "http://127.0.0.1:8092"}
	a := addresses{Broker: "127.0.0.1:9092", Registry: "127.0.0.1:8081", API: "127.0.0.1:8080"}
	for _, o := range []Options{{}, {Brokers: "127.0.0.1:1,127.0.0.1:2", Registry: "http://127.0.0.1:3"}} {
		o.Dir = t.TempDir()
		if err := writeClientFile(o, a, servers); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(filepath.Join(o.Dir, clientFile), nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.Servers[salesforce] != servers[salesforce] || c.Servers[hubspot] != servers[hubspot] || c.HTTP.Listen != a.API {
			t.Errorf("%+v", c)
		}
		if o.Brokers == "" && (!c.IsEmbedded() || c.Embedded.Listen != a.Broker || c.Embedded.Registry != a.Registry) {
			t.Errorf("its own broker: %+v", c)
		}
		if o.Brokers != "" && (!slices.Equal(c.Kafka.Brokers, []string{"127.0.0.1:1", "127.0.0.1:2"}) || c.Kafka.Registry != o.Registry) {
			t.Errorf("a Kafka: %+v", c.Kafka)
		}
	}
}
