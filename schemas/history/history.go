package history

import (
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

//go:embed v*/samples.txt
var samples embed.FS

// samplesFile holds, one per line, a record's name and the bytes of one record,
// without the wire format's header, in hexadecimal.
const samplesFile = "samples.txt"

// Versions returns the released versions, oldest first: "v1", "v2", …
func Versions() []string {
	entries, err := Released.ReadDir(".")
	if err != nil {
		panic(err) // the root of an embedded file system can be read
	}
	var vs []string
	for _, e := range entries {
		if e.IsDir() {
			vs = append(vs, e.Name())
		}
	}
	slices.SortFunc(vs, func(a, b string) int { return number(a) - number(b) })
	return vs
}

// number is a version's place; 0 for a name that is no version.
func number(version string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(version, "v"))
	if err != nil {
		return 0
	}
	return n
}

// Records returns the names of a version's records, sorted.
func Records(version string) ([]string, error) {
	files, err := fs.Glob(Released, version+"/*.avsc")
	if err != nil {
		return nil, fmt.Errorf("listing the records of %s: %w", version, err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(f, version+"/"), ".avsc")
	}
	return files, nil
}

// AVSC returns the text of a record's schema in a version; the error is
// fs.ErrNotExist if the version has no such record.
func AVSC(version, record string) (string, error) {
	b, err := Released.ReadFile(version + "/" + record + ".avsc")
	if err != nil {
		return "", fmt.Errorf("reading the schema of %s in %s: %w", record, version, err)
	}
	return string(b), nil
}

// Samples returns the bytes that a version wrote for one record of each kind.
func Samples(version string) (map[string][]byte, error) {
	b, err := samples.ReadFile(version + "/" + samplesFile)
	if err != nil {
		return nil, fmt.Errorf("reading the samples of %s: %w", version, err)
	}
	bytesOf := make(map[string][]byte)
	for line := range strings.Lines(string(b)) {
		record, text, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			return nil, fmt.Errorf("samples of %s: the line %q is not \"record hex\"", version, line)
		}
		if bytesOf[record], err = hex.DecodeString(text); err != nil {
			return nil, fmt.Errorf("samples of %s: %s: %w", version, record, err)
		}
	}
	return bytesOf, nil
}
