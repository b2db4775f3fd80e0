package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
)

func start(t *testing.T, dir string) *Broker {
	t.Helper()
	b, err := Start(context.Background(), Config{Dir: dir, Listen: "127.0.0.1:0", RegistryListen: "127.0.0.1:0", Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func stop(t *testing.T, b *Broker) {
	t.Helper()
	if err := b.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestWhatWasAcknowledgedIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	codec := registry.NewCodec(b.RegistryURL())
	if err := codec.Register(ctx); err != nil {
		t.Fatal(err)
	}
	value, err := codec.Append(nil, schemas.TopicDialerCalls, &schemas.CallEvent{CallID: "call-1", Revision: 1, StartedAt: 1700000000123, ToNumber: "+14155551234"})
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: schemas.TopicBoot, Key: []byte("k"), Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	cl.Close()
	stop(t, b)

	b = start(t, dir)
	defer stop(t, b)
	if b.Boot() != 2 || !b.boot.Clean {
		t.Errorf("boot %+v", b.boot)
	}
	cl, err = kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ConsumeTopics(schemas.TopicBoot))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	again := registry.NewCodec(b.RegistryURL())
	for {
		fs := cl.PollFetches(ctx)
		if err := fs.Err0(); err != nil {
			t.Fatal(err)
		}
		for _, r := range fs.Records() {
			if string(r.Key) != "k" {
				continue
			}
			v, err := again.Decode(ctx, schemas.TopicDialerCalls, r.Value)
			if err != nil {
				t.Fatal(err)
			}
			if c := v.(*schemas.CallEvent); c.CallID != "call-1" || c.StartedAt != 1700000000123 {
				t.Errorf("got %+v", c)
			}
			return
		}
	}
}

func TestTheFolderBelongsToOneProcess(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	defer stop(t, b)
	_, err := Start(context.Background(), Config{Dir: dir, Listen: "127.0.0.1:0", RegistryListen: "127.0.0.1:0", Partitions: 2})
	if err == nil || !strings.Contains(err.Error(), "in use by the process with id") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

func TestATakenPortIsSaidBeforeTheFolderIsTouched(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Start(context.Background(), Config{Dir: t.TempDir(), Listen: l.Addr().String(), RegistryListen: "127.0.0.1:0", Partitions: 2})
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("got %v", err)
	}
}

// Each of these alone ends an unguarded broker's process.
func TestStrangersEndNothing(t *testing.T) {
	b := start(t, t.TempDir())
	defer stop(t, b)
	frames := [][]byte{
		frame(30000, 10), frame(-1, 10), {0, 0, 0, 3, 1, 2, 3}, {0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0x7f, 0xff, 0xff, 0xff},
		[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), frame(18, 4), bytes.Repeat([]byte{0}, 100),
	}
	for _, f := range frames {
		c, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatalf("after a stranger the broker is gone: %v", err)
		}
		_ = c.SetDeadline(time.Now().Add(300 * time.Millisecond))
		_, _ = c.Write(f)
		_, _ = io.Copy(io.Discard, c)
		c.Close()
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.Ping(context.Background()); err != nil {
		t.Errorf("after the strangers: %v", err)
	}
}

func frame(key int16, body int) []byte {
	f := binary.BigEndian.AppendUint32(nil, uint32(4+body))
	f = binary.BigEndian.AppendUint16(f, uint16(key))
	return append(f, make([]byte, 2+body)...)
}

// Whatever arrives, in whatever pieces: what is let through is whole frames with a
// known key, or the connection ends.
func FuzzGuard(f *testing.F) {
	f.Add(frame(18, 20), uint8(3))
	f.Add([]byte{0, 0, 0, 3, 1, 2, 3}, uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		client, server := net.Pipe()
		defer client.Close()
		go func() {
			_, _ = client.Write(in)
			client.Close()
		}()
		g := &guardConn{Conn: server}
		var got []byte
		buf := make([]byte, int(piece)+1)
		for {
			n, err := g.Read(buf)
			got = append(got, buf[:n]...)
			if err != nil {
				break
			}
		}
		if !bytes.HasPrefix(in, got) {
			t.Fatalf("%x became %x", in, got)
		}
		for len(got) >= 8 {
			size := int32(binary.BigEndian.Uint32(got))
			if !harmless(size, int16(binary.BigEndian.Uint16(got[4:]))) {
				t.Fatalf("let through %x", got)
			}
			if len(got) < int(size)+4 {
				break
			}
			got = got[size+4:]
		}
	})
}
