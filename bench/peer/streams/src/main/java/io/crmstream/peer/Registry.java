package io.crmstream.peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The two questions that a reader and a writer have for a registry of the Confluent API. */
final class Registry {
  /** A schema and its id, which stands in front of every value. */
  record Schema(int id, org.apache.avro.Schema avro) {}

  private final String url;
  private final HttpClient http =
      HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
  private final ObjectMapper json = new ObjectMapper();
  private final Map<Integer, org.apache.avro.Schema> known = new ConcurrentHashMap<>();

  Registry(String url) {
    this.url = url;
  }

  /** The schema that a value was written with. */
  org.apache.avro.Schema byId(int id) {
    return known.computeIfAbsent(id, i -> parse(ask("/schemas/ids/" + i)));
  }

  /** The newest schema of a subject. */
  Schema newest(String subject) {
    JsonNode n =
        ask(
            "/subjects/"
                + java.net.URLEncoder.encode(subject, StandardCharsets.UTF_8)
                + "/versions/latest");
    return new Schema(n.get("id").asInt(), parse(n));
  }

  private org.apache.avro.Schema parse(JsonNode n) {
    return new org.apache.avro.Schema.Parser().parse(n.get("schema").asText());
  }

  private JsonNode ask(String path) {
    try {
      HttpRequest q =
          HttpRequest.newBuilder(URI.create(url + path)).timeout(Duration.ofSeconds(10)).build();
      HttpResponse<byte[]> a = http.send(q, HttpResponse.BodyHandlers.ofByteArray());
      if (a.statusCode() != 200) {
        throw new IllegalStateException("the registry answers " + path + " with " + a.statusCode());
      }
      return json.readTree(a.body());
    } catch (IOException e) {
      throw new IllegalStateException("asking the registry for " + path, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("asking the registry for " + path, e);
    }
  }
}
