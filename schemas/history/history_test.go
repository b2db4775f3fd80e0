package history

import (
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/twmb/avro"

	"github.com/crmstream/crmstream/schemas"
)

// What any release wrote can be read by this one.
func TestEveryReleasedVersionIsRead(t *testing.T) {
	read := 0
	err := fs.WalkDir(Released, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := Released.ReadFile(p)
		if err != nil {
			return err
		}
		record := strings.TrimSuffix(path.Base(p), ".avsc")
		now, ok := schemas.AVSC(record)
		if !ok {
			t.Errorf("%s: the record is gone: what was written can't be read any more", p)
			return nil
		}
		old := avro.MustParse(string(text))
		resolved, err := avro.Resolve(old, avro.MustParse(now))
		if err != nil {
			t.Errorf("%s can't be read by today's %s: %v", p, record, err)
			return nil
		}
		b, err := old.Encode(schemas.New(record))
		if err != nil {
			t.Errorf("%s: %v", p, err)
			return nil
		}
		if rest, err := resolved.Decode(b, schemas.New(record)); err != nil || len(rest) > 0 {
			t.Errorf("%s: reading back: %d bytes left, %v", p, len(rest), err)
		}
		read++
		return nil
	})
	if err != nil || read == 0 {
		t.Fatalf("%d read, %v", read, err)
	}
}
