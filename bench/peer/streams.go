package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/crmstream/crmstream/internal/kafkalane"
	"github.com/crmstream/crmstream/schemas"
)

// build makes the Streams program with Maven, in a folder of the user's cache, and
// returns its class path.
func build(ctx context.Context) (string, error) {
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("%w: %s is not on this machine: the Kafka Streams program needs a JDK 17 or later and Maven", kafkalane.ErrMissing, tool)
		}
	}
	pom, err := findPOM()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: no folder for a cache: %w", kafkalane.ErrMissing, err)
	}
	target := filepath.Join(cache, "crmstream", "peer-streams")
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "mvn", "-B", "-q", "-f", pom, "-Dpeer.target="+target, "package")
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the Kafka Streams program with mvn: %w\n%s", err, out)
	}
	return filepath.Join(target, "classes") + string(os.PathListSeparator) + filepath.Join(target, "lib", "*"), nil
}

// findPOM finds the program in the repository that the working folder is in.
func findPOM() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		pom := filepath.Join(dir, "bench", "peer", "streams", "pom.xml")
		if _, err := os.Stat(pom); err == nil {
			return pom, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not within the repository: bench/peer/streams is not found", wd)
		}
	}
}

// streams is the Streams program with a commit interval in ms.
func (b *bench) streams(classes string, commit int) contender {
	id := "peer-" + strconv.Itoa(commit)
	c := contender{name: fmt.Sprintf("Kafka Streams, commit.interval.ms=%d", commit), kind: streams, topic: id + ".contacts", changes: id + ".changes", commit: commit}
	c.command = func() (*exec.Cmd, error) {
		args := append(javaFlags(), "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classes)
		for name, value := range map[string]string{
			"brokers": b.lane.Broker, "registry": b.lane.RegistryURL, "application": id, "state": filepath.Join(b.dir, id),
			"input": schemas.TopicDialerContacts, "contacts": c.topic, "changes": c.changes,
			"contacts.subject": schemas.TopicSyncContacts + "-value", "changes.subject": schemas.TopicSyncChanges + "-value",
			"commit": strconv.Itoa(commit), "threads": threads(),
		} {
			args = append(args, "-Dpeer."+name+"="+value)
		}
		return exec.Command("java", append(args, "io.crmstream.peer.Main")...), nil
	}
	return c
}
