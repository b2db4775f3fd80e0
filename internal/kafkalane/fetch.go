package kafkalane

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrMissing is wrapped where this machine lacks what the parts need; the text says
// what.
var ErrMissing = errors.New("missing")

// Versions of the parts. Another one is another SHA256SUMS.
const (
	KafkaVersion    = "4.1.1"
	RegistryVersion = "2.5.11.Final"

	mavenCopy = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
)

// sums has a line for each file that is used: sha256, two spaces, name.
//
//go:embed SHA256SUMS
var sums string

type dependency struct {
	Group      string      `xml:"groupId"`
	Artifact   string      `xml:"artifactId"`
	Version    string      `xml:"version"`
	Type       string      `xml:"type,omitempty"`
	Classifier string      `xml:"classifier,omitempty"`
	Exclusions []exclusion `xml:"exclusions>exclusion,omitempty"`
}

type exclusion struct {
	Group    string `xml:"groupId"`
	Artifact string `xml:"artifactId"`
}

type project struct {
	XMLName      xml.Name     `xml:"http://maven.apache.org/POM/4.0.0 project"`
	Model        string       `xml:"modelVersion"`
	Group        string       `xml:"groupId"`
	Artifact     string       `xml:"artifactId"`
	Version      string       `xml:"version"`
	Packaging    string       `xml:"packaging"`
	Dependencies []dependency `xml:"dependencies>dependency"`
}

func pom() ([]byte, error) {
	return xml.MarshalIndent(project{
		Model: "4.0.0", Group: "crmstream", Artifact: "kafkalane", Version: "1", Packaging: "pom",
		Dependencies: []dependency{
			{Group: "org.apache.kafka", Artifact: "kafka_2.13", Version: KafkaVersion},
			{Group: "org.apache.kafka", Artifact: "kafka-tools", Version: KafkaVersion},
			// Without it Kafka logs nothing: its own distribution adds it too.
			{Group: "org.apache.logging.log4j", Artifact: "log4j-slf4j-impl", Version: "2.24.3"},
			{Group: "io.apicurio", Artifact: "apicurio-registry-app", Version: RegistryVersion, Type: "tar.gz", Classifier: "all",
				Exclusions: []exclusion{{"*", "*"}}}, // the archive has all of them
		},
	}, "", "  ")
}

// artifacts returns the folder that has kafka/*.jar and registry/, fetched and
// checked if it is not there yet.
func artifacts(ctx context.Context) (string, error) {
	if err := checkJava(ctx); err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: no folder for a cache: %w", ErrMissing, err)
	}
	pinned := sha256.Sum256([]byte(sums))
	// The name has the pins in it: others are another folder.
	dir := filepath.Join(cache, "crmstream", "kafkalane-"+hex.EncodeToString(pinned[:6]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := fetch(ctx, tmp); err != nil {
		return "", err
	}
	// Whole or not at all; where another process was faster its folder is the same.
	if err := os.Rename(tmp, dir); err != nil {
		if _, serr := os.Stat(dir); serr != nil {
			return "", err
		}
	}
	return dir, nil
}

func fetch(ctx context.Context, dir string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("%w: mvn is not on this machine: install Maven (deploy/kafka/install.sh on Debian)", ErrMissing)
	}
	b, err := pom()
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(file, b, 0o644); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	jars := filepath.Join(dir, "kafka")
	cmd := exec.CommandContext(ctx, mvn, "-B", "-q", "-f", file, mavenCopy, "-DoutputDirectory="+jars)
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: mvn cannot fetch Apache Kafka and Apicurio Registry: %w\n%s", ErrMissing, err, out)
	}
	if err := check(jars, sums); err != nil {
		return err
	}
	archive := filepath.Join(jars, "apicurio-registry-app-"+RegistryVersion+"-all.tar.gz")
	registry := filepath.Join(dir, "registry")
	if err := os.Mkdir(registry, 0o755); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "tar", "-xzf", archive, "-C", registry).CombinedOutput(); err != nil {
		return fmt.Errorf("unpacking %s: %w\n%s", archive, err, out)
	}
	return os.Remove(archive)
}

// check compares a folder's files with the sums: each one named, each name there.
func check(dir, sums string) error {
	want := make(map[string]string)
	for sc := bufio.NewScanner(strings.NewReader(sums)); sc.Scan(); {
		sum, name, ok := strings.Cut(sc.Text(), "  ")
		if !ok {
			return fmt.Errorf("SHA256SUMS: %q is no line of it", sc.Text())
		}
		want[name] = sum
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		sum, err := sum256(filepath.Join(dir, f.Name()))
		if err != nil {
			return err
		}
		switch want[f.Name()] {
		case sum:
		case "":
			return fmt.Errorf("%s came, which SHA256SUMS does not name (%s)", f.Name(), sum)
		default:
			return fmt.Errorf("%s has the sum %s, SHA256SUMS says %s", f.Name(), sum, want[f.Name()])
		}
		delete(want, f.Name())
	}
	for name := range want {
		return fmt.Errorf("%s did not come, which SHA256SUMS names", name)
	}
	return nil
}

func sum256(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// javaVersion is what `java -version` begins with: openjdk version "17.0.15".
var javaVersion = regexp.MustCompile(`version "(\d+)`)

func checkJava(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "java", "-version").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: java is not on this machine: install a Java 17 runtime or a later one (deploy/kafka/install.sh on Debian)", ErrMissing)
	}
	m := javaVersion.FindSubmatch(out)
	if m == nil {
		return fmt.Errorf("%w: java does not say its version: %.200s", ErrMissing, out)
	}
	if n, _ := strconv.Atoi(string(m[1])); n < 17 {
		return fmt.Errorf("%w: java is version %d, Apache Kafka %s needs 17 or later", ErrMissing, n, KafkaVersion)
	}
	return nil
}
