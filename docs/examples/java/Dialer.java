import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A dialer in Java: sends calls and reads sync.calls until each of them is in the CRM.
 *
 * <p>mvn -q dependency:copy-dependencies -DoutputDirectory=lib && java -cp 'lib/*' Dialer.java BROKER REGISTRY TENANT NUMBER COUNT
 */
public final class Dialer {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HttpClient HTTP = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();

    public static void main(String[] args) throws Exception {
        if (args.length != 5) {
            System.err.println("usage: Dialer BROKER REGISTRY TENANT NUMBER COUNT");
            System.exit(2);
        }
        String broker = args[0];
        String registry = args[1];
        String tenant = args[2];
        int count = Integer.parseInt(args[4]);
        String run = Long.toString(System.currentTimeMillis());

        JsonNode latest = ask(registry + "/subjects/dialer.calls-value/versions/latest");
        Schema schema = new Schema.Parser().parse(latest.get("schema").asText());
        Set<String> wanted = new HashSet<>();
        // The default partitioner is right: murmur2 of the key, which is the tenant alone.
        try (var producer = new KafkaProducer<>(Map.of("bootstrap.servers", broker, "acks", "all"), new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int n = 0; n < count; n++) {
                GenericRecord call = call(schema, "java-" + run + "-" + n, args[3]);
                byte[] value = encode(latest.get("id").asInt(), call);
                producer.send(new ProducerRecord<>("dialer.calls", tenant.getBytes(StandardCharsets.UTF_8), value)).get();
                wanted.add(tenant + "/" + call.get("call_id"));
            }
        }

        Map<Integer, Schema> schemas = new HashMap<>();
        Map<String, Object> settings = Map.of("bootstrap.servers", broker, "group.id", "java-" + run, "auto.offset.reset", "earliest", "isolation.level", "read_committed");
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of("sync.calls"));
            long end = System.nanoTime() + Duration.ofMinutes(1).toNanos();
            while (!wanted.isEmpty() && System.nanoTime() < end) {
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofSeconds(1))) {
                    String key = new String(r.key(), StandardCharsets.UTF_8);
                    if (r.value() != null && wanted.contains(key) && decode(registry, schemas, r.value()).get("status").toString().equals("synced")) {
                        wanted.remove(key);
                    }
                }
            }
        }
        System.out.println(count + " calls sent, " + wanted.size() + " not logged");
        System.exit(wanted.isEmpty() ? 0 : 1);
    }

    private static GenericRecord call(Schema schema, String id, String number) {
        long ended = System.currentTimeMillis();
        GenericRecord call = new GenericData.Record(schema);
        call.put("call_id", id);
        call.put("revision", 1L);
        call.put("direction", "outbound");
        call.put("started_at", ended - 90_000);
        call.put("ended_at", ended);
        call.put("duration_seconds", 90);
        call.put("from_number", "+14155550100");
        call.put("to_number", number);
        call.put("agent_email", "rep@example.com");
        call.put("disposition", "Connected");
        return call;
    }

    /** The wire format: a zero byte, the schema's id in four bytes, the record in Avro. */
    private static byte[] encode(int id, GenericRecord record) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(ByteBuffer.allocate(5).put((byte) 0).putInt(id).array());
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
        new GenericDatumWriter<GenericRecord>(record.getSchema()).write(record, encoder);
        encoder.flush();
        return out.toByteArray();
    }

    private static GenericRecord decode(String registry, Map<Integer, Schema> schemas, byte[] value) throws Exception {
        int id = ByteBuffer.wrap(value, 1, 4).getInt();
        if (!schemas.containsKey(id)) {
            schemas.put(id, new Schema.Parser().parse(ask(registry + "/schemas/ids/" + id).get("schema").asText()));
        }
        return new GenericDatumReader<GenericRecord>(schemas.get(id)).read(null, DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, null));
    }

    private static JsonNode ask(String url) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(10)).build();
        HttpResponse<String> answer = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IllegalStateException("GET " + url + ": " + answer.statusCode() + " " + answer.body());
        }
        return JSON.readTree(answer.body());
    }
}
