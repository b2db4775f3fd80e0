package registry

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	hamba "github.com/hamba/avro/v2"

	"github.com/crmstream/crmstream/schemas"
)

// secondOpinion is another maker's Avro. Its limits are set: at its defaults a few
// bytes end the process.
var secondOpinion = hamba.Config{MaxSliceAllocSize: 1 << 20, MaxByteSliceSize: 1 << 20}.Freeze()

// Two libraries that share no line read what the other writes, for every record. So
// what we write is Avro, not what one library takes for it.
func TestAnotherLibraryAgrees(t *testing.T) {
	c, _ := registered(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, topic := range topicsWithRecords() {
		text, _ := schemas.AVSC(topic.Record)
		// A cache of its own: the records share names (Link, Field), and hamba/avro's
		// default cache is one for the whole process.
		schema, err := hamba.ParseWithCache(text, "", &hamba.SchemaCache{})
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			in := random(r, topic.Record)
			ours, err := c.Append(nil, topic.Name, in)
			if err != nil {
				t.Fatal(err)
			}
			out := schemas.New(topic.Record)
			if err := secondOpinion.Unmarshal(schema, ours[headerSize:], out); err != nil {
				t.Fatalf("%s: the other library cannot read ours: %v", topic.Name, err)
			}
			if d := cmp.Diff(in, out, cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("%s: the other library reads something else (-went +came):\n%s", topic.Name, d)
			}
			theirs, err := secondOpinion.Marshal(schema, in)
			if err != nil {
				t.Fatalf("%s: %v", topic.Name, err)
			}
			back, err := c.Decode(t.Context(), topic.Name, append(ours[:headerSize:headerSize], theirs...))
			if err != nil {
				t.Fatalf("%s: the other library's record: %v", topic.Name, err)
			}
			if d := cmp.Diff(in, back, cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("%s: we read something else than the other library wrote (-went +came):\n%s", topic.Name, d)
			}
		}
	}
}
