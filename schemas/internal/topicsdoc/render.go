package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/crmstream/crmstream/schemas"
)

const intro = `# Topics

<!-- Written by go generate ./schemas/... from schemas/topic.go and schemas/avsc: edit there. -->

Every topic that crmstream reads or writes: %d inputs, %d outputs, %d of its own.

**Values** are Avro in the Confluent wire format (a zero byte, the schema's id in 4 bytes big endian, the record). The schema of
topic T is registered as subject T-value. Instants are milliseconds since 1970, UTC, with Avro's logical type timestamp-millis.
A field marked "may be absent" has a default: a producer's own schema may leave it out.

**Personal data.** A field with "yes" in the last column holds, or may hold, what names or reaches a person, or what somebody said: names,
numbers, addresses, free text. In the schema such a field has the property "personal": true, so that a tool can find it; no
property means no. A record inside a record is marked in its own fields. Ids (of calls, persons, records) are not marked, though with the
CRM at hand they lead to a person.

**Keys** are raw UTF-8, "tenant" or "tenant/record", never Avro. A tenant has 1 to 128 bytes, without "/" and control characters.
They hold names of tenants and ids, no personal data, but for timers on dlq.

**Partitions.** All topics but those of one partition have the same number N, and a tenant's records are in partition
(murmur2(tenant) & 0x7fffffff) mod N of each. For a key that is the tenant alone Java clients do so by themselves; librdkafka
(kcat, confluent-kafka) needs partitioner=murmur2_random. A record that arrives in another partition of a dialer topic is forwarded,
and counted.

**Size.** Key and value together have at most %d KiB.

`

// Render returns the page.
func Render() ([]byte, error) {
	r := &renderer{records: make(map[string]node)}
	count := make(map[schemas.Role]int)
	for _, t := range schemas.Topics() {
		count[t.Role]++
	}
	fmt.Fprintf(&r.out, intro, count[schemas.RoleInput], count[schemas.RoleOutput], count[schemas.RoleInternal], schemas.RecordLimit>>10)
	r.contents()
	for _, part := range []struct {
		role  schemas.Role
		title string
	}{
		{schemas.RoleInput, "Inputs, in the order in which a transaction applies them"},
		{schemas.RoleOutput, "Outputs"},
		{schemas.RoleInternal, "Internal"},
	} {
		fmt.Fprintf(&r.out, "## %s\n\n", part.title)
		for _, t := range schemas.Topics() {
			if t.Role != part.role {
				continue
			}
			if err := r.topic(t); err != nil {
				return nil, fmt.Errorf("topic %s: %w", t.Name, err)
			}
		}
	}
	if err := r.nested(); err != nil {
		return nil, err
	}
	return append(bytes.TrimRight(r.out.Bytes(), "\n"), '\n'), nil
}

type renderer struct {
	out     bytes.Buffer
	records map[string]node // records inside records, by name
	order   []string        // in the order met
}

func (r *renderer) contents() {
	r.out.WriteString("| topic | is | key | kept |\n|---|---|---|---|\n")
	for _, t := range schemas.Topics() {
		fmt.Fprintf(&r.out, "| [%s](#%s) | %s | %s | %s |\n", t.Name, anchor(t.Name), t.Role, cell(t.Key), kept(t))
	}
	r.out.WriteByte('\n')
}

func (r *renderer) topic(t schemas.Topic) error {
	fmt.Fprintf(&r.out, "### %s\n\n%s\n\n", t.Name, t.Doc)
	if t.Notes != "" {
		fmt.Fprintf(&r.out, "%s\n\n", t.Notes)
	}
	fmt.Fprintf(&r.out, "- Key: %s, e.g. `%s`\n- Partitions: %s\n- Kept: %s\n- Written by: %s\n- Read by: %s\n", t.Key, t.Example, partitions(t), kept(t), t.Writers, t.Readers)
	switch {
	case t.Record != "":
		fmt.Fprintf(&r.out, "- Value: %s\n\n", t.Record)
	case t.Name == schemas.TopicEntry:
		r.out.WriteString("- Value: the original's\n\n")
		return nil
	default:
		r.out.WriteString("- Value: of no interest to others, not in Avro\n\n")
		return nil
	}
	text, ok := schemas.AVSC(t.Record)
	if !ok {
		return fmt.Errorf("no schema for its record %s", t.Record)
	}
	var n node
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return fmt.Errorf("reading the schema of %s: %w", t.Record, err)
	}
	return r.table(n)
}

// nested writes the records that stand inside others. A record may name one that
// comes after it, so the list grows while it is written.
func (r *renderer) nested() error {
	r.out.WriteString("## Records inside records\n\n")
	for i := 0; i < len(r.order); i++ {
		n := r.records[r.order[i]]
		fmt.Fprintf(&r.out, "### %s\n\n%s\n\n", n.Name, n.Doc)
		if err := r.table(n); err != nil {
			return fmt.Errorf("record %s: %w", n.Name, err)
		}
	}
	return nil
}

func (r *renderer) table(n node) error {
	r.out.WriteString("| field | type | meaning | personal |\n|---|---|---|---|\n")
	for _, f := range n.Fields {
		typ, err := r.typeText(f.Type)
		if err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
		if f.Default != nil {
			typ += ", may be absent"
		}
		doc, personal := strings.TrimSuffix(f.Doc, " Personal data."), ""
		if f.Personal {
			personal = "yes"
		}
		fmt.Fprintf(&r.out, "| %s | %s | %s | %s |\n", f.Name, typ, cell(doc), personal)
	}
	r.out.WriteByte('\n')
	return nil
}

func partitions(t schemas.Topic) string {
	switch {
	case t.Single:
		return "one"
	case t.Role == schemas.RoleInternal:
		return "N; partition p belongs to partition p of the inputs"
	default:
		return "N, by tenant, the same number in each topic"
	}
}

func kept(t schemas.Topic) string {
	switch {
	case t.Compact && t.Retention < 0:
		return "newest per key (compacted)"
	case t.Compact:
		return "newest per key (compacted), tombstones " + days(t.Retention)
	case t.Retention < 0:
		return "for ever"
	default:
		return days(t.Retention)
	}
}

func days(d time.Duration) string {
	if n := d / (24 * time.Hour); d%(24*time.Hour) == 0 && n > 0 {
		return fmt.Sprintf("%d days", n)
	}
	return d.String()
}

// anchor is what Markdown makes of a heading.
func anchor(s string) string { return strings.ReplaceAll(strings.ToLower(s), ".", "") }

// cell makes text safe inside a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
