package io.crmstream.peer;

import com.google.i18n.phonenumbers.NumberParseException;
import com.google.i18n.phonenumbers.PhoneNumberUtil;
import com.google.i18n.phonenumbers.Phonenumber.PhoneNumber;
import java.util.HashMap;
import java.util.Map;

/** Numbers in E.164. As in crmstream a cache that is thrown away when it is full. */
final class Phones {
  private static final int LONGEST = 64;
  private static final int CACHED = 1 << 16;

  private final PhoneNumberUtil util = PhoneNumberUtil.getInstance();
  private final Map<String, String> cache = new HashMap<>();

  /** The number in E.164, "" if it is none. */
  String e164(String raw) {
    if (raw.isEmpty() || raw.length() > LONGEST) {
      return "";
    }
    String v = cache.get(raw);
    if (v == null) {
      v = parse(raw);
      if (cache.size() >= CACHED) {
        cache.clear();
      }
      cache.put(raw, v);
    }
    return v;
  }

  private String parse(String raw) {
    try {
      PhoneNumber n = util.parse(raw, "US");
      return util.isPossibleNumber(n)
          ? util.format(n, PhoneNumberUtil.PhoneNumberFormat.E164)
          : "";
    } catch (NumberParseException e) {
      return "";
    }
  }
}
