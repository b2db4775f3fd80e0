package deploycheck

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
)

func project(t *testing.T) *types.Project {
	t.Helper()
	o, err := cli.NewProjectOptions([]string{"../../docker-compose.yml"}, cli.WithName("crmstream"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(t.Context()) // what `docker compose config` does: schema, references, types
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The compose file is one, its images are pinned to a version, nothing listens beyond
// this machine, and what it mounts and builds is there.
func TestComposeFile(t *testing.T) {
	p := project(t)
	for name, s := range p.Services {
		if s.Build == nil && !regexp.MustCompile(`:\d+\.\d+[^:]*$`).MatchString(s.Image) {
			t.Errorf("%s: the image %q is not pinned", name, s.Image)
		}
		if s.Build != nil {
			if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is open to the network", name, port.Published)
			}
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// What crmstream is configured with there is accepted, and names the services.
func TestComposeConfiguration(t *testing.T) {
	p := project(t)
	cfg, err := config.Load("../../deploy/compose.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range append(cfg.Kafka.Brokers, strings.TrimPrefix(cfg.Kafka.Registry, "http://")) {
		host, _, _ := strings.Cut(addr, ":")
		if _, ok := p.Services[host]; !ok {
			t.Errorf("%s is no service of the compose file", addr)
		}
	}
}

// The broker there has the settings that the tests on Apache Kafka run with.
func TestComposeBrokerSettings(t *testing.T) {
	env := project(t).Services["kafka"].Environment
	f, err := os.Open("../../deploy/kafka/broker.properties")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		key, want, ok := strings.Cut(strings.TrimSpace(sc.Text()), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		n++
		name := "KAFKA_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "__").Replace(key))
		if got := env[name]; got == nil || *got != want {
			t.Errorf("%s is not %s=%s in the compose file", key, name, want)
		}
	}
	if n == 0 {
		t.Error("no settings")
	}
}
