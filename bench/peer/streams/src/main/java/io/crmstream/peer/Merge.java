package io.crmstream.peer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.serialization.BytesSerializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * One partition's merge: finds the person of a contact (by contact, by unique e-mail, by number
 * where the name agrees), lets the newer value of each field win, and says what became of it.
 */
final class Merge implements Processor<byte[], byte[], byte[], byte[]> {
  static final String STORE = "people";
  static final String CONTACTS = "contacts";
  static final String CHANGES = "changes";

  private static final BytesSerializer RAW = new BytesSerializer();
  private static final String ORIGIN = "dialer";
  // Kinds of state entries.
  private static final char PERSON = 'p';
  private static final char CONTACT = 'c';
  private static final char EMAIL = 'e';
  private static final char PHONE = 'n';
  private static final char SEQUENCE = 's';

  private final Registry registry;
  private final Writer contacts;
  private final Writer changes;
  private final Phones phones = new Phones();
  private final Map<Integer, GenericDatumReader<GenericRecord>> readers = new HashMap<>();
  private BinaryDecoder decoder;
  private ProcessorContext<byte[], byte[]> context;
  private KeyValueStore<Bytes, byte[]> store;

  Merge(Registry registry, Registry.Schema contact, Registry.Schema change) {
    this.registry = registry;
    contacts = new Writer(contact);
    changes = new Writer(change);
  }

  @Override
  public void init(ProcessorContext<byte[], byte[]> context) {
    this.context = context;
    store = context.getStateStore(STORE);
  }

  @Override
  public void process(Record<byte[], byte[]> r) {
    String key = new String(r.key(), StandardCharsets.UTF_8);
    int slash = key.indexOf('/');
    new Change(slash < 0 ? key : key.substring(0, slash), read(r.value()), r.timestamp()).apply();
  }

  private GenericRecord read(byte[] value) {
    ByteBuffer b = ByteBuffer.wrap(value);
    if (b.get() != 0) {
      throw new IllegalArgumentException("not in the wire format of Confluent");
    }
    try {
      decoder = DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, decoder);
      return readers.computeIfAbsent(b.getInt(), this::reader).read(null, decoder);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private GenericDatumReader<GenericRecord> reader(int id) {
    org.apache.avro.Schema written = registry.byId(id);
    org.apache.avro.Schema wanted = new org.apache.avro.Schema.Parser().parse(written.toString());
    strings(wanted);
    return new GenericDatumReader<>(written, wanted);
  }

  /** Asks for String instead of Utf8 everywhere. */
  private static void strings(org.apache.avro.Schema s) {
    switch (s.getType()) {
      case STRING -> GenericData.setStringType(s, GenericData.StringType.String);
      case RECORD -> s.getFields().forEach(f -> strings(f.schema()));
      case ARRAY -> strings(s.getElementType());
      case UNION -> s.getTypes().forEach(Merge::strings);
      default -> {}
    }
  }

  private static String email(String s) {
    return s.strip().toLowerCase(Locale.ROOT);
  }

  private String normal(String name, String value) {
    if (value == null) {
      return null;
    }
    switch (name) {
      case "email":
        return email(value);
      case "phone", "mobile_phone":
        String n = phones.e164(value);
        return n.isEmpty() ? value : n;
      default:
        return value;
    }
  }

  private static boolean blank(String s) {
    return s == null || s.isEmpty();
  }

  /** Writes one kind of record in the wire format. */
  private static final class Writer {
    final org.apache.avro.Schema schema;
    private final byte[] head;
    private final GenericDatumWriter<GenericRecord> writer;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream(1024);
    private BinaryEncoder encoder;

    Writer(Registry.Schema s) {
      schema = s.avro();
      head = ByteBuffer.allocate(5).put((byte) 0).putInt(s.id()).array();
      writer = new GenericDatumWriter<>(schema);
    }

    /** The schema of a record that stands in a field, also in an array or with null. */
    org.apache.avro.Schema part(String field) {
      org.apache.avro.Schema s = schema.getField(field).schema();
      return switch (s.getType()) {
        case ARRAY -> s.getElementType();
        case UNION -> s.getTypes().get(1);
        default -> s;
      };
    }

    byte[] bytes(GenericRecord r) {
      try {
        out.reset();
        out.write(head);
        encoder = EncoderFactory.get().binaryEncoder(out, encoder);
        writer.write(r, encoder);
        encoder.flush();
        return out.toByteArray();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /** One contact change, applied. */
  private final class Change {
    private final String tenant;
    private final GenericRecord in;
    private final long timestamp;
    private final long at;
    private final String ref;
    private Person person;
    private boolean fresh;
    private boolean changed;
    private boolean dirty;

    Change(String tenant, GenericRecord in, long timestamp) {
      this.tenant = tenant;
      this.in = in;
      this.timestamp = timestamp;
      // A time that has not come yet would win over everything until it comes.
      at = Math.min((Long) in.get("modified_at"), context.currentSystemTimeMs());
      RecordMetadata m = context.recordMetadata().orElseThrow();
      ref = m.topic() + "-" + m.partition() + "@" + m.offset();
    }

    void apply() {
      String contact = (String) in.get("contact_id");
      @SuppressWarnings("unchecked")
      List<GenericRecord> fields = (List<GenericRecord>) in.get("fields");
      byte[] pid = store.get(key(CONTACT, contact));
      if (pid != null) {
        person = load(new String(pid, StandardCharsets.UTF_8));
      }
      if (person == null) {
        person = identify(fields);
      }
      if (person == null) {
        person = new Person("p" + sequence());
        fresh = true;
      }
      if (!contact.equals(person.contact)) {
        person.contact = contact;
        changed = true;
        store.put(key(CONTACT, contact), person.id.getBytes(StandardCharsets.UTF_8));
      }
      for (GenericRecord f : fields) {
        String name = (String) f.get("name");
        take(name, normal(name, (String) f.get("value")));
      }
      if (changed) {
        publish();
      }
      if (changed || dirty) {
        store.put(key(PERSON, person.id), person.encode());
      }
    }

    /** The newer value wins, whatever the order in which they come. */
    private void take(String name, String value) {
      Person.Field now = person.field(name);
      if (now == null) {
        person.add(new Person.Field(name, value, at, ORIGIN, ref));
        dirty = true;
        if (!blank(value)) {
          took(name, null, value);
        }
        return;
      }
      if (now.at > at) {
        return;
      }
      boolean same = alike(name, now.value, value);
      String old = now.value;
      if (!same) {
        now.value = value;
      }
      if (!same || now.at != at) {
        now.at = at;
        now.from = ORIGIN;
        now.ref = ref;
        dirty = true;
      }
      if (!same) {
        took(name, old, value);
      }
    }

    private boolean alike(String name, String a, String b) {
      if (blank(a) || blank(b)) {
        return blank(a) && blank(b);
      }
      if (a.equals(b)) {
        return true;
      }
      return switch (name) {
        case "email" -> email(a).equals(email(b));
        case "phone", "mobile_phone" -> {
          String x = phones.e164(a);
          yield !x.isEmpty() && x.equals(phones.e164(b));
        }
        default -> false;
      };
    }

    /** A field has a new value: the indexes and those who read changes are told. */
    private void took(String name, String old, String value) {
      changed = true;
      char kind = kind(name);
      if (kind != 0) {
        if (!blank(old)) {
          String id = indexed(kind, old);
          if (!id.isEmpty()) {
            store.delete(key(kind, id + "\0" + person.id));
          }
        }
        String id = blank(value) ? "" : indexed(kind, value);
        if (!id.isEmpty()) {
          Bytes k = key(kind, id + "\0" + person.id);
          if (store.get(k) == null) {
            store.put(k, new byte[] {1});
          }
        }
      }
      if (fresh) {
        return; // a person that is new has no history
      }
      GenericRecord c = new GenericData.Record(changes.schema);
      c.put("tenant", tenant);
      c.put("person_id", person.id);
      c.put("field", name);
      c.put("old", old);
      c.put("new", value);
      c.put("cause", "last_write_wins");
      c.put("provenance", provenance(changes));
      context.forward(new Record<>(outKey(), changes.bytes(c), timestamp), CHANGES);
    }

    private char kind(String name) {
      return switch (name) {
        case "email" -> EMAIL;
        case "phone", "mobile_phone" -> PHONE;
        default -> 0;
      };
    }

    private String indexed(char kind, String value) {
      return kind == PHONE ? phones.e164(value) : value;
    }

    private void publish() {
      org.apache.avro.Schema part = contacts.part("fields");
      List<GenericRecord> fields = new ArrayList<>(person.fields.size());
      for (Person.Field f : person.fields) {
        GenericRecord r = new GenericData.Record(part);
        r.put(0, f.name);
        r.put(1, f.value);
        fields.add(r);
      }
      GenericRecord c = new GenericData.Record(contacts.schema);
      c.put("tenant", tenant);
      c.put("person_id", person.id);
      c.put("fields", fields);
      c.put("do_not_call", false);
      c.put("contact_id", person.contact);
      c.put("links", List.of());
      c.put("status", person.status);
      c.put("warnings", List.of());
      c.put("provenance", provenance(contacts));
      context.forward(new Record<>(outKey(), contacts.bytes(c), timestamp), CONTACTS);
    }

    private GenericRecord provenance(Writer w) {
      GenericRecord p = new GenericData.Record(w.part("provenance"));
      p.put("origin", ORIGIN);
      p.put("event_time", at);
      p.put("source_ref", ref);
      p.put("snapshot", false);
      return p;
    }

    /** The one person that looks like this, null if there is none. */
    private Person identify(List<GenericRecord> fields) {
      Map<String, String> looks = new HashMap<>();
      for (GenericRecord f : fields) {
        String name = (String) f.get("name");
        looks.put(name, normal(name, (String) f.get("value")));
      }
      String mail = looks.get("email");
      if (!blank(mail)) {
        List<String> ids = members(EMAIL, mail, 2);
        if (ids.size() == 1) {
          return load(ids.get(0));
        }
      }
      for (String name : List.of("phone", "mobile_phone")) {
        String number = looks.get(name);
        if (blank(number)) {
          continue;
        }
        for (String id : members(PHONE, number, 10)) {
          Person p = load(id);
          if (p != null && sameName(p, looks)) {
            return p;
          }
        }
      }
      return null;
    }

    private boolean sameName(Person p, Map<String, String> looks) {
      for (String name : List.of("first_name", "last_name")) {
        Person.Field f = p.field(name);
        String v = looks.get(name);
        if (f == null || blank(f.value) || blank(v) || !email(f.value).equals(email(v))) {
          return false;
        }
      }
      return true;
    }

    private List<String> members(char kind, String value, int most) {
      Bytes prefix = key(kind, value + "\0");
      List<String> ids = new ArrayList<>(1);
      try (KeyValueIterator<Bytes, byte[]> it = store.prefixScan(prefix, RAW)) {
        while (it.hasNext() && ids.size() < most) {
          KeyValue<Bytes, byte[]> e = it.next();
          byte[] k = e.key.get();
          int n = prefix.get().length;
          ids.add(new String(k, n, k.length - n, StandardCharsets.UTF_8));
        }
      }
      return ids;
    }

    private Person load(String id) {
      byte[] b = store.get(key(PERSON, id));
      return b == null ? null : Person.decode(b);
    }

    private long sequence() {
      Bytes k = Bytes.wrap(new byte[] {(byte) SEQUENCE});
      byte[] b = store.get(k);
      long n = 1 + (b == null ? 0 : ByteBuffer.wrap(b).getLong());
      store.put(k, ByteBuffer.allocate(8).putLong(n).array());
      return n;
    }

    private byte[] outKey() {
      return (tenant + "/" + person.id).getBytes(StandardCharsets.UTF_8);
    }

    private Bytes key(char kind, String id) {
      return Bytes.wrap((kind + tenant + "\0" + id).getBytes(StandardCharsets.UTF_8));
    }
  }
}
