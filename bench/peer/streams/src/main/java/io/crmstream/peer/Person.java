package io.crmstream.peer;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** What is known of a person: each field with the time and the place that it came from. */
final class Person {
  /** A field's value, with what decides whether another one wins. */
  static final class Field {
    final String name;
    String value; // null = empty
    long at; // ms
    String from;
    String ref;

    Field(String name, String value, long at, String from, String ref) {
      this.name = name;
      this.value = value;
      this.at = at;
      this.from = from;
      this.ref = ref;
    }
  }

  String id;
  String contact;
  String status = "active";
  final List<Field> fields = new ArrayList<>(8); // sorted by name

  Person(String id) {
    this.id = id;
  }

  /** The field, null if it was never set. */
  Field field(String name) {
    int i = find(name);
    return i < 0 ? null : fields.get(i);
  }

  void add(Field f) {
    fields.add(-find(f.name) - 1, f);
  }

  private int find(String name) {
    int low = 0;
    int high = fields.size() - 1;
    while (low <= high) {
      int mid = (low + high) >>> 1;
      int c = fields.get(mid).name.compareTo(name);
      if (c == 0) {
        return mid;
      }
      if (c < 0) {
        low = mid + 1;
      } else {
        high = mid - 1;
      }
    }
    return -low - 1;
  }

  /** The state's bytes: a version, then all parts one after the other. */
  byte[] encode() {
    Out o = new Out();
    o.b.put((byte) 1);
    o.text(id);
    o.text(contact);
    o.text(status);
    o.number(fields.size());
    for (Field f : fields) {
      o.text(f.name);
      o.text(f.value);
      o.number(f.at);
      o.text(f.from);
      o.text(f.ref);
    }
    byte[] all = new byte[o.b.position()];
    o.b.flip().get(all);
    return all;
  }

  static Person decode(byte[] bytes) {
    In in = new In(bytes);
    if (in.next() != 1) {
      throw new IllegalStateException("a person in an unknown form");
    }
    Person p = new Person(in.text());
    p.contact = in.text();
    p.status = in.text();
    for (long n = in.number(); n > 0; n--) {
      p.fields.add(new Field(in.text(), in.text(), in.number(), in.text(), in.text()));
    }
    return p;
  }

  private static final class Out {
    ByteBuffer b = ByteBuffer.allocate(1024);

    void room(int n) {
      if (b.remaining() < n) {
        ByteBuffer more = ByteBuffer.allocate(2 * b.capacity() + n);
        more.put(b.flip());
        b = more;
      }
    }

    void number(long v) {
      room(10);
      for (; (v & ~0x7fL) != 0; v >>>= 7) {
        b.put((byte) (v | 0x80));
      }
      b.put((byte) v);
    }

    /** The length plus one, 0 for null, then UTF-8. */
    void text(String s) {
      if (s == null) {
        number(0);
        return;
      }
      byte[] u = s.getBytes(StandardCharsets.UTF_8);
      number(u.length + 1L);
      room(u.length);
      b.put(u);
    }
  }

  private static final class In {
    private final byte[] b;
    private int at;

    In(byte[] b) {
      this.b = b;
    }

    byte next() {
      return b[at++];
    }

    long number() {
      long v = 0;
      for (int shift = 0; ; shift += 7) {
        byte n = b[at++];
        v |= (long) (n & 0x7f) << shift;
        if (n >= 0) {
          return v;
        }
      }
    }

    String text() {
      int n = (int) number() - 1;
      if (n < 0) {
        return null;
      }
      at += n;
      return new String(b, at - n, n, StandardCharsets.UTF_8);
    }
  }
}
