package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/crmstream/crmstream/internal/kafkalane"
)

// client is a client of another maker.
type client struct {
	name  string // in flags and in expect.go
	title string // a column of docs/clients.md
	// prepare fetches what the client needs; its error says in one line what is missing
	// and how to get it.
	prepare func(context.Context) (program, error)
}

// program does a client's steps and hands each line that it prints to say.
type program func(ctx context.Context, l *lane, cfg config, say func(line string)) error

var clients = []client{
	{"kcat", "kcat 1.7", prepareKcat},
	{"python", "confluent-kafka 2.16 (Python)", preparePython},
	{"java", "Java clients 4.1", prepareJava},
	{"kafkajs", "kafkajs 2.2", prepareKafkaJS},
}

//go:embed programs
var programs embed.FS

// fetchTime is how long a package manager may take.
const fetchTime = 5 * time.Minute

func preparePython(ctx context.Context) (program, error) {
	python, err := lookPath("python3", "apt-get install python3 python3-venv")
	if err != nil {
		return nil, err
	}
	dir, err := cached(ctx, "python", "requirements.txt", func(ctx context.Context, dir string) error {
		if err := quietly(ctx, dir, python, "-m", "venv", "venv"); err != nil {
			return fmt.Errorf("making a virtual environment (apt-get install python3-venv): %w", err)
		}
		return quietly(ctx, dir, "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt")
	})
	if err != nil {
		return nil, err
	}
	return script("python", "client.py", nil, filepath.Join(dir, "venv", "bin", "python")), nil
}

func prepareJava(ctx context.Context) (program, error) {
	const get = "apt-get install default-jdk-headless maven"
	java, err := lookPath("java", get)
	if err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, java, "--list-modules").Output(); err != nil || !bytes.Contains(out, []byte("jdk.compiler")) {
		return nil, fmt.Errorf("java is here without a compiler, or is older than 17: %s", get)
	}
	dir, err := cached(ctx, "java", "pom.xml", func(ctx context.Context, dir string) error {
		mvn, err := lookPath("mvn", get)
		if err != nil {
			return err
		}
		return quietly(ctx, dir, mvn, "-B", "-q", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies", "-DoutputDirectory=lib")
	})
	if err != nil {
		return nil, err
	}
	return script("java", "Client.java", nil, java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(dir, "lib", "*")), nil
}

func prepareKafkaJS(ctx context.Context) (program, error) {
	const get = "apt-get install nodejs npm"
	node, err := lookPath("node", get)
	if err != nil {
		return nil, err
	}
	dir, err := cached(ctx, "kafkajs", "package.json", func(ctx context.Context, dir string) error {
		npm, err := lookPath("npm", get)
		if err != nil {
			return err
		}
		return quietly(ctx, dir, npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	})
	if err != nil {
		return nil, err
	}
	return script("kafkajs", "client.js", []string{"NODE_PATH=" + filepath.Join(dir, "node_modules")}, node), nil
}

func lookPath(tool, get string) (string, error) {
	path, err := exec.LookPath(tool)
	if err != nil {
		return "", fmt.Errorf("%s is not on this machine: %s", tool, get)
	}
	return path, nil
}

// cached returns the folder that has what a client's manifest names, filled by fetch if
// it is not there yet. It is whole or not there at all.
func cached(ctx context.Context, client, manifest string, fetch func(ctx context.Context, dir string) error) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for a cache: %w", err)
	}
	wanted, err := programs.ReadFile("programs/" + client + "/" + manifest)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(wanted)
	dir := filepath.Join(cache, "crmstream", "clients-"+client+"-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(filepath.Join(dir, "whole")); err == nil {
		return dir, nil
	}
	// A virtual environment cannot be renamed: the mark is what makes the folder whole.
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, manifest), wanted, 0o644)); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	if err := fetch(ctx, dir); err != nil {
		return "", fmt.Errorf("fetching what %s names: %w", manifest, err)
	}
	return dir, os.WriteFile(filepath.Join(dir, "whole"), nil, 0o644)
}

// quietly runs a command; its error has the end of what it printed.
func quietly(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.WaitDelay = dir, 5*time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), errors.Join(err, ctx.Err()), tail(out))
	}
	return nil
}

func tail(out []byte) string {
	s := oneLine(string(out))
	return s[max(0, len(s)-400):]
}

// script is the program of programs/CLIENT/FILE, run by a command that is given the
// file and its configuration.
func script(client, file string, env []string, command ...string) program {
	return func(ctx context.Context, _ *lane, cfg config, say func(string)) error {
		dir, err := os.MkdirTemp("", "crmstream-client-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		source, err := programs.ReadFile("programs/" + client + "/" + file)
		if err != nil {
			return err
		}
		told, err := json.Marshal(cfg)
		if err != nil {
			return err
		}
		at, conf := filepath.Join(dir, file), filepath.Join(dir, "config.json")
		if err := errors.Join(os.WriteFile(at, source, 0o600), os.WriteFile(conf, told, 0o600)); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, command[0], append(command[1:len(command):len(command)], at, conf)...)
		cmd.Env = append(os.Environ(), env...)
		return lines(cmd, say)
	}
}

// lines runs a command in a process group of its own and hands on each line that it
// prints.
func lines(cmd *exec.Cmd, say func(string)) error {
	var wrong bytes.Buffer
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr, cmd.WaitDelay = w, &wrong, kafkalane.OwnGroup(), 5*time.Second
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	read := make(chan struct{})
	go func() {
		defer close(read)
		for sc := bufio.NewScanner(r); sc.Scan(); {
			say(strings.ToValidUTF8(sc.Text(), "?"))
		}
		_, _ = io.Copy(io.Discard, r) // a line too long for the scanner must not stop the command
	}()
	err := kafkalane.Attached(cmd)
	_ = w.Close() // never an error of a pipe
	<-read
	if err != nil {
		return fmt.Errorf("%w: %s", err, tail(wrong.Bytes()))
	}
	return nil
}
