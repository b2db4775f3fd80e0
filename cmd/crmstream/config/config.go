package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/crmstream/crmstream/cmd/crmstream/strictyaml"
)

// Config is the configuration of one process.
type Config struct {
	// Data is the folder of the state store and, when it is embedded, of the broker.
	Data     string   `yaml:"data"`
	Kafka    Kafka    `yaml:"kafka"`
	Embedded Embedded `yaml:"embedded"`
	HTTP     HTTP     `yaml:"http"`
	// Servers names the CRM base URLs that tenants may refer to beside the
	// providers' own: the allow-list.
	Servers map[string]string `yaml:"servers"`
	// Webhooks: provider → app id → reference to the app's client secret.
	Webhooks map[string]map[string]string `yaml:"webhooks"`
	Log      Log                          `yaml:"log"`
}

// Kafka says where the topics are. With no brokers the embedded broker is used.
type Kafka struct {
	Brokers    []string `yaml:"brokers"`
	Registry   string   `yaml:"registry"`
	Partitions int      `yaml:"partitions"` // N of all topics but the single ones; kept for ever
	// Group is the consumer group of all processes of one installation.
	Group string `yaml:"group"`
	// Session is how long a silent member keeps its partitions.
	Session time.Duration `yaml:"session"`
	// Replication of topics that are created.
	Replication int `yaml:"replication"`
}

// Embedded says where the broker in the process listens.
type Embedded struct {
	Listen   string `yaml:"listen"`
	Registry string `yaml:"registry"`
}

// HTTP says where the API, the metrics and the webhooks listen.
type HTTP struct {
	Listen string `yaml:"listen"`
	// PublicURL is the address under which CRMs reach Listen; signatures are checked
	// against it.
	PublicURL string `yaml:"public_url"`
	// Token is a reference to what a caller of crmstream explain must know, where it is
	// not on the same machine; "" = nobody else is answered.
	Token string `yaml:"token"`
}

// Log says what is logged.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json
}

// Default is the configuration of an empty file.
func Default() *Config {
	return &Config{
		Data:     "./crmstream-data",
		Kafka:    Kafka{Partitions: 8, Group: "crmstream", Session: 6 * time.Second, Replication: 1},
		Embedded: Embedded{Listen: "127.0.0.1:9092", Registry: "127.0.0.1:8081"},
		HTTP:     HTTP{Listen: "127.0.0.1:8080"},
		Log:      Log{Level: "warn", Format: "text"},
	}
}

// Load reads a file (path "" = none), applies the environment (environ as
// os.Environ gives it) and checks the whole.
func Load(path string, environ []string) (*Config, error) {
	c := Default()
	places := &strictyaml.Places{File: "configuration"}
	if path != "" {
		src, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading the configuration: %w", err)
		}
		if places, err = strictyaml.Decode(path, src, c); err != nil {
			return nil, err
		}
	}
	mistakes := override(c, environ)
	mistakes = append(mistakes, c.check(places)...)
	if err := strictyaml.Mistakes(mistakes).Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// IsEmbedded reports whether the broker runs in this process.
func (c *Config) IsEmbedded() bool { return len(c.Kafka.Brokers) == 0 }

func (c *Config) check(p *strictyaml.Places) []strictyaml.Mistake {
	var ms []strictyaml.Mistake
	bad := func(path, mend, format string, args ...any) {
		ms = append(ms, p.Mistake(path, fmt.Sprintf(format, args...), mend))
	}
	if c.Data == "" {
		bad("data", "data: ./crmstream-data", "data must name a folder")
	}
	if !c.IsEmbedded() && c.Kafka.Registry == "" {
		bad("kafka.brokers", "registry: http://HOST:8081", "kafka.brokers without kafka.registry: records need their schemas")
	}
	if n := c.Kafka.Partitions; n < 1 || n > 1024 {
		bad("kafka.partitions", "a number from 1 to 1024; 8 fits one process", "kafka.partitions is %d", n)
	}
	if s := c.Kafka.Session; s < time.Second || s > 5*time.Minute {
		bad("kafka.session", "from 1s to 5m; 6s is Apache Kafka's lowest by default", "kafka.session is %s", s)
	}
	if c.Kafka.Replication < 1 {
		bad("kafka.replication", "3 in production, 1 on one broker", "kafka.replication is %d", c.Kafka.Replication)
	}
	for path, addr := range map[string]string{"embedded.listen": c.Embedded.Listen, "embedded.registry": c.Embedded.Registry, "http.listen": c.HTTP.Listen} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			bad(path, "HOST:PORT, such as 127.0.0.1:8080", "%s is no address: %q", path, addr)
		}
	}
	for name, raw := range c.Servers {
		if why := badURL(raw); why != "" {
			bad("servers."+name, "https://HOST (http:// for a loopback address only)", "servers.%s %s", name, why)
		}
	}
	if c.HTTP.PublicURL != "" {
		if why := badURL(c.HTTP.PublicURL); why != "" {
			bad("http.public_url", "https://HOST", "http.public_url %s", why)
		}
	}
	if t := c.HTTP.Token; t != "" && !IsReference(t) {
		bad("http.token", "env:NAME or file:PATH", "http.token must be a reference to the secret, not the secret")
	}
	for provider, apps := range c.Webhooks {
		for app, ref := range apps {
			if !IsReference(ref) {
				bad("webhooks."+provider+"."+app, "env:NAME or file:PATH", "webhooks.%s.%s must be a reference to the secret, not the secret", provider, app)
			}
		}
	}
	switch c.Log.Level {
	case "debug", "info", "warn", "error":
	default:
		bad("log.level", "debug, info, warn or error", "log.level is %q", c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		bad("log.format", "text or json", "log.format is %q", c.Log.Format)
	}
	sort.SliceStable(ms, func(i, j int) bool { return ms[i].What < ms[j].What })
	return ms
}

// badURL says what is wrong with a base URL, "" if nothing is.
func badURL(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return "is no URL"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "must be scheme, host and path alone"
	case u.Scheme == "https":
		return ""
	case u.Scheme != "http":
		return "has the scheme " + u.Scheme
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return ""
	}
	return "is not encrypted"
}

const envPrefix = "CRMSTREAM_"

// override applies environment variables to the single-valued settings.
func override(c *Config, environ []string) []strictyaml.Mistake {
	env := make(map[string]string)
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(k, envPrefix) {
			env[k] = v
		}
	}
	var ms []strictyaml.Mistake
	walk(reflect.ValueOf(c).Elem(), "", func(path string, v reflect.Value) {
		name := envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
		raw, ok := env[name]
		if !ok {
			return
		}
		if v.Kind() == reflect.Slice {
			v.Set(reflect.ValueOf(strings.Split(raw, ",")))
			return
		}
		if _, err := fmt.Sscan(raw, v.Addr().Interface()); err != nil && v.Kind() != reflect.String && v.Type() != reflect.TypeFor[time.Duration]() {
			ms = append(ms, strictyaml.Mistake{File: name, What: "is no value for " + path, Mend: "a whole number, such as 8"})
			return
		}
		switch {
		case v.Type() == reflect.TypeFor[time.Duration]():
			d, err := time.ParseDuration(raw)
			if err != nil {
				ms = append(ms, strictyaml.Mistake{File: name, What: "is no duration", Mend: "such as 6s"})
				return
			}
			v.SetInt(int64(d))
		case v.Kind() == reflect.String:
			v.SetString(raw)
		}
	})
	return ms
}

func walk(v reflect.Value, path string, fn func(string, reflect.Value)) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		if path != "" {
			name = path + "." + name
		}
		switch f := v.Field(i); f.Kind() {
		case reflect.Struct:
			walk(f, name, fn)
		case reflect.Map: // servers and webhooks have names of their own
		default:
			fn(name, f)
		}
	}
}
