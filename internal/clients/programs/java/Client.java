import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * What the Java clients do with a broker and a registry: one line per step, "ok STEP: …" or "failed STEP: …".
 *
 * <p>Usage: Client CONFIG.json (package internal/clients writes it and reads the lines).
 */
public final class Client {
    private static final int WAIT = 20; // seconds for anything that a broker has to do
    private static final ObjectMapper JSON = new ObjectMapper();

    private final JsonNode config;
    private final String prefix;
    private final String calls;
    private final Admin admin;
    private final Registry registry;
    private final Map<String, Step> steps = new LinkedHashMap<>();
    private final List<AutoCloseable> open = new ArrayList<>(); // what a step leaves running

    private interface Step {
        String run() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        new Client(JSON.readTree(new File(args[0]))).run();
    }

    private Client(JsonNode config) {
        this.config = config;
        prefix = config.get("prefix").asText();
        calls = config.get("calls").asText();
        registry = new Registry(config.get("registry").asText());
        admin = Admin.create(base(Map.of("request.timeout.ms", "10000", "default.api.timeout.ms", WAIT * 1000)));
        steps.put("metadata", this::metadata);
        steps.put("produce", () -> produce("set", Map.of("acks", "all")));
        steps.put("default-partitioner", () -> produce("default", Map.of()));
        steps.put("read", this::read);
        steps.put("compression", this::compression);
        steps.put("group", () -> group("group", Map.of()));
        steps.put("group-cooperative",
                () -> group("group-cooperative", Map.of("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor")));
        steps.put("group-kip848", () -> group("group-kip848", Map.of("group.protocol", "consumer")));
        steps.put("transaction", this::transaction);
        steps.put("transaction-offsets", this::transactionOffsets);
        steps.put("fencing", this::fencing);
        steps.put("fencing-idle", this::fencingIdle);
        steps.put("admin-topics", this::adminTopics);
        steps.put("admin-configs", this::adminConfigs);
        steps.put("admin-offsets", this::adminOffsets);
        steps.put("admin-delete-records", this::adminDeleteRecords);
        steps.put("admin-groups", this::adminGroups);
        steps.put("admin-cluster", this::adminCluster);
        steps.put("admin-transactions", this::adminTransactions);
        steps.put("admin-features", this::adminFeatures);
        steps.put("admin-quorum", this::adminQuorum);
        steps.put("registry", this::registrySteps);
    }

    private void run() {
        steps.forEach((name, step) -> {
            String line;
            try {
                line = "ok " + name + ": " + step.run();
            } catch (Exception | LinkageError e) { // a step that fails is a line, and the others go on
                Throwable cause = e instanceof ExecutionException && e.getCause() != null ? e.getCause() : e;
                line = "failed " + name + ": " + cause.getClass().getSimpleName() + ": " + cause.getMessage();
            }
            System.out.println(line.replace('\n', ' '));
            for (AutoCloseable c : open) {
                try {
                    c.close();
                } catch (Exception e) {
                    // it is closed, or will be with the process
                }
            }
            open.clear();
        });
        admin.close(Duration.ofSeconds(2));
    }

    private String metadata() throws Exception {
        Set<String> topics = get(admin.listTopics().names());
        want(topics.contains(calls), calls + " is not listed");
        return get(admin.describeCluster().nodes()).size() + " broker, " + topics.size() + " topics";
    }

    private String produce(String kind, Map<String, Object> settings) throws Exception {
        Registered schema = registry.latest(calls + "-value");
        KafkaProducer<byte[], byte[]> producer = producer(settings);
        int n = 0;
        int elsewhere = 0;
        for (Map.Entry<String, JsonNode> tenant : config.get("tenants").properties()) {
            byte[] value = schema.encode(call(schema.schema, kind, n++));
            int partition = producer.send(new ProducerRecord<>(calls, tenant.getKey().getBytes(), value)).get(WAIT, TimeUnit.SECONDS).partition();
            elsewhere += partition == tenant.getValue().asInt() ? 0 : 1;
        }
        want(elsewhere == 0, elsewhere + " calls are in other partitions than their tenant's");
        return n + " calls";
    }

    private GenericRecord call(Schema schema, String kind, int n) {
        GenericRecord call = new GenericData.Record(schema);
        long ended = System.currentTimeMillis();
        call.put("call_id", prefix + "-" + kind + "-" + n);
        call.put("revision", 1L);
        call.put("direction", "outbound");
        call.put("started_at", ended - 90_000);
        call.put("ended_at", ended);
        call.put("duration_seconds", 90);
        call.put("from_number", "+14155550100");
        call.put("to_number", "+14155551234");
        call.put("agent_email", "rep@example.com");
        call.put("disposition", "Connected");
        return call;
    }

    private String read() throws Exception {
        Map<String, JsonNode> wanted = new HashMap<>();
        config.get("samples").properties().forEach(e -> wanted.put(e.getKey(), e.getValue()));
        KafkaConsumer<byte[], byte[]> consumer = consumer("read", Map.of());
        consumer.subscribe(List.of(config.get("sync").asText()));
        long end = end(WAIT);
        while (!wanted.isEmpty()) {
            want(System.nanoTime() < end, wanted.size() + " records did not come");
            for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(200))) {
                JsonNode id = wanted.remove(new String(r.key()));
                if (id == null) {
                    continue;
                }
                GenericRecord record = registry.decode(r.value());
                String logged = ((GenericRecord) ((List<?>) record.get("logged")).get(0)).get("id").toString();
                want(logged.equals(id.asText()), "it reads as " + record);
            }
        }
        return config.get("samples").size() + " records of " + config.get("sync").asText();
    }

    private String compression() throws Exception {
        String name = topic("compression", 1, Map.of());
        List<String> codecs = List.of("none", "gzip", "snappy", "lz4", "zstd");
        Set<String> sent = new HashSet<>();
        for (String codec : codecs) {
            List<String> values = IntStream.range(0, 20).mapToObj(n -> (codec + " " + n + " ").repeat(50)).toList();
            sent.addAll(values);
            send(producer(Map.of("compression.type", codec, "linger.ms", 50)), name, 0, values);
        }
        want(new HashSet<>(values(name, "read_uncommitted", sent.size())).equals(sent), "what was read is not what was sent");
        return String.join(", ", codecs);
    }

    /** Two members share a topic, commit and leave; a third finds nothing left to do. */
    private String group(String kind, Map<String, Object> settings) throws Exception {
        String name = topic(kind, 6, Map.of());
        KafkaProducer<byte[], byte[]> producer = producer(Map.of());
        for (int p = 0; p < 6; p++) {
            int partition = p;
            send(producer, name, p, IntStream.range(0, 10).mapToObj(n -> partition + " " + n).toList());
        }
        List<String> seen = new ArrayList<>();
        KafkaConsumer<byte[], byte[]> first = consumer(kind, settings);
        KafkaConsumer<byte[], byte[]> second = consumer(kind, settings);
        first.subscribe(List.of(name));
        long end = end(2 * WAIT);
        while (seen.size() < 20) {
            want(System.nanoTime() < end, seen.size() + " of 20 records came");
            poll(first, seen);
        }
        second.subscribe(List.of(name));
        while (first.assignment().size() != 3 || second.assignment().size() != 3) {
            want(System.nanoTime() < end, "the members have " + first.assignment().size() + " and " + second.assignment().size() + " of 6 partitions");
            poll(first, seen);
            poll(second, seen);
        }
        while (new HashSet<>(seen).size() < 60) {
            want(System.nanoTime() < end, new HashSet<>(seen).size() + " of 60 records came");
            poll(first, seen);
            poll(second, seen);
        }
        first.commitSync(Duration.ofSeconds(WAIT));
        second.commitSync(Duration.ofSeconds(WAIT));
        Map<TopicPartition, OffsetAndMetadata> committed = get(admin.listConsumerGroupOffsets(prefix + "." + kind).partitionsToOffsetAndMetadata());
        want(committed.values().stream().mapToLong(OffsetAndMetadata::offset).sum() == 60, "committed are " + committed);
        first.close();
        second.close();
        List<String> again = new ArrayList<>();
        KafkaConsumer<byte[], byte[]> third = consumer(kind, settings);
        third.subscribe(List.of(name));
        end = end(WAIT);
        while (third.assignment().size() < 6) {
            want(System.nanoTime() < end, "the third member was given nothing");
            poll(third, again);
        }
        third.poll(Duration.ofSeconds(1)).forEach(r -> again.add(text(r.value())));
        want(again.isEmpty(), "committed records came again");
        return "60 records, " + (seen.size() - 60) + " of them twice, 6 partitions shared 3 and 3";
    }

    /** Polls once and commits; a commit in the middle of a rebalance is refused, and the next one says the same. */
    private static void poll(KafkaConsumer<byte[], byte[]> c, List<String> seen) {
        c.poll(Duration.ofMillis(200)).forEach(r -> seen.add(text(r.value())));
        try {
            c.commitSync(Duration.ofSeconds(WAIT));
        } catch (CommitFailedException | RebalanceInProgressException e) {
            return;
        }
    }

    private String transaction() throws Exception {
        String name = topic("transaction", 1, Map.of());
        KafkaProducer<byte[], byte[]> producer = transactional("transaction");
        for (String value : List.of("kept", "dropped", "last")) {
            producer.beginTransaction();
            send(producer, name, 0, IntStream.range(0, 3).mapToObj(n -> value + " " + n).toList());
            if (value.equals("dropped")) {
                producer.abortTransaction();
            } else {
                producer.commitTransaction();
            }
        }
        List<String> committed = values(name, "read_committed", 6);
        want(committed.equals(List.of("kept 0", "kept 1", "kept 2", "last 0", "last 1", "last 2")), "read_committed shows " + committed);
        List<String> everything = values(name, "read_uncommitted", 9);
        want(everything.size() == 9, "read_uncommitted shows " + everything);
        return "read_committed shows the committed ones only";
    }

    private String transactionOffsets() throws Exception {
        String source = topic("txn-source", 1, Map.of());
        String target = topic("txn-target", 1, Map.of());
        TopicPartition at = new TopicPartition(source, 0);
        send(producer(Map.of()), source, 0, IntStream.range(0, 10).mapToObj(Integer::toString).toList());
        KafkaConsumer<byte[], byte[]> consumer = consumer("txn-offsets", Map.of("max.poll.records", 5));
        consumer.subscribe(List.of(source));
        KafkaProducer<byte[], byte[]> producer = transactional("txn-offsets");
        for (boolean commit : new boolean[] {true, false}) {
            List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
            long end = end(WAIT);
            while (got.size() < 5) {
                want(System.nanoTime() < end, "no records came");
                consumer.poll(Duration.ofMillis(200)).forEach(got::add);
            }
            producer.beginTransaction();
            send(producer, target, 0, got.stream().map(r -> text(r.value())).toList());
            producer.sendOffsetsToTransaction(Map.of(at, new OffsetAndMetadata(got.get(got.size() - 1).offset() + 1)), consumer.groupMetadata());
            if (commit) {
                producer.commitTransaction();
            } else {
                producer.abortTransaction();
            }
            long offset = consumer.committed(Set.of(at)).get(at).offset();
            want(offset == 5, "the group is at " + offset + ", not at 5");
        }
        List<String> got = values(target, "read_committed", 5);
        want(got.equals(List.of("0", "1", "2", "3", "4")), "the target shows " + got);
        return "the aborted batch moved no offset";
    }

    private String fencing() throws Exception {
        String name = topic("fencing", 1, Map.of());
        KafkaProducer<byte[], byte[]> old = transactional("fencing");
        old.beginTransaction();
        send(old, name, 0, List.of("of the old"));
        KafkaProducer<byte[], byte[]> young = transactional("fencing");
        young.beginTransaction();
        send(young, name, 0, List.of("of the new"));
        String error = fenced(old::commitTransaction);
        young.commitTransaction();
        List<String> got = values(name, "read_committed", 1);
        want(got.equals(List.of("of the new")), "read_committed shows " + got);
        return error;
    }

    /** The same with a successor that has done nothing yet: neither a commit nor an abort may let the older producer go on. */
    private String fencingIdle() throws Exception {
        for (boolean commit : new boolean[] {true, false}) {
            String name = topic("fencing-" + commit, 1, Map.of());
            KafkaProducer<byte[], byte[]> old = transactional("fencing-" + commit);
            old.beginTransaction();
            send(old, name, 0, List.of("of the old"));
            KafkaProducer<byte[], byte[]> young = transactional("fencing-" + commit);
            fenced(() -> {
                if (commit) {
                    old.commitTransaction();
                } else {
                    old.abortTransaction();
                }
                old.beginTransaction();
                send(old, name, 0, List.of("of the old, come back"));
                old.commitTransaction();
            });
            young.beginTransaction();
            send(young, name, 0, List.of("of the new"));
            young.commitTransaction();
            List<String> got = values(name, "read_committed", 1);
            want(got.equals(List.of("of the new")), "read_committed shows " + got);
        }
        return "by commit and by abort";
    }

    private interface Act {
        void run() throws Exception;
    }

    private static String fenced(Act act) throws Exception {
        try {
            act.run();
        } catch (ProducerFencedException | InvalidProducerEpochException e) {
            return e.getClass().getSimpleName();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof ProducerFencedException || e.getCause() instanceof InvalidProducerEpochException) {
                return e.getCause().getClass().getSimpleName();
            }
            throw e;
        }
        throw new IllegalStateException("the older producer could go on");
    }

    private String adminTopics() throws Exception {
        String name = topic("admin-topics", 2, Map.of("retention.ms", "3600000"));
        try {
            topic("admin-topics", 2, Map.of());
            throw new IllegalStateException("a topic could be made twice");
        } catch (ExecutionException e) {
            want(e.getCause() instanceof TopicExistsException, "made twice: " + e.getCause());
        }
        get(admin.createPartitions(Map.of(name, NewPartitions.increaseTo(4))).all());
        until("it has not four partitions", () -> get(admin.describeTopics(List.of(name)).allTopicNames()).get(name).partitions().size() == 4);
        get(admin.deleteTopics(List.of(name)).all());
        until("it is there after it was deleted", () -> !get(admin.listTopics().names()).contains(name));
        return "create, add partitions, describe, delete";
    }

    private String adminConfigs() throws Exception {
        String name = topic("admin-configs", 1, Map.of("retention.ms", "3600000", "cleanup.policy", "compact"));
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, name);
        until("it is not shown as it was made", () -> {
            var shown = get(admin.describeConfigs(List.of(resource)).all()).get(resource);
            return shown.get("retention.ms").value().equals("3600000") && shown.get("cleanup.policy").value().equals("compact");
        });
        get(admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "7200000"), AlterConfigOp.OpType.SET)))).all());
        until("it is not shown as it was changed", () -> get(admin.describeConfigs(List.of(resource)).all()).get(resource).get("retention.ms").value().equals("7200000"));
        String id = get(admin.describeCluster().nodes()).iterator().next().idString();
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, id);
        return "of topics, and " + get(admin.describeConfigs(List.of(broker)).all()).get(broker).entries().size() + " of the broker";
    }

    private String adminOffsets() throws Exception {
        String name = topic("admin-offsets", 1, Map.of());
        TopicPartition at = new TopicPartition(name, 0);
        send(producer(Map.of()), name, 0, IntStream.range(0, 10).mapToObj(Integer::toString).toList());
        want(offset(at, OffsetSpec.earliest()) == 0 && offset(at, OffsetSpec.latest()) == 10, "the ends are not 0 and 10");
        want(offset(at, OffsetSpec.forTimestamp(1)) == 0, "the first record after 1970 is not the first");
        want(offset(at, OffsetSpec.maxTimestamp()) >= 0, "there is no newest record");
        return "earliest, latest, by time, newest";
    }

    private String adminDeleteRecords() throws Exception {
        String name = topic("admin-delete-records", 1, Map.of());
        TopicPartition at = new TopicPartition(name, 0);
        send(producer(Map.of()), name, 0, IntStream.range(0, 10).mapToObj(Integer::toString).toList());
        get(admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(4))).all());
        want(offset(at, OffsetSpec.earliest()) == 4, "the start is " + offset(at, OffsetSpec.earliest()) + " after 4 were deleted");
        List<String> got = values(name, "read_uncommitted", 6);
        want(got.equals(List.of("4", "5", "6", "7", "8", "9")), "left are " + got);
        return "";
    }

    private long offset(TopicPartition at, OffsetSpec spec) throws Exception {
        return get(admin.listOffsets(Map.of(at, spec)).partitionResult(at)).offset();
    }

    private String adminGroups() throws Exception {
        String name = topic("admin-groups", 1, Map.of());
        String group = prefix + ".admin-groups";
        TopicPartition at = new TopicPartition(name, 0);
        send(producer(Map.of()), name, 0, IntStream.range(0, 10).mapToObj(Integer::toString).toList());
        List<String> seen = new ArrayList<>();
        KafkaConsumer<byte[], byte[]> consumer = consumer("admin-groups", Map.of());
        consumer.subscribe(List.of(name));
        long end = end(WAIT);
        while (seen.size() < 10) {
            want(System.nanoTime() < end, seen.size() + " of 10 records came");
            poll(consumer, seen);
        }
        consumer.commitSync();
        int members = get(admin.describeConsumerGroups(List.of(group)).all()).get(group).members().size();
        want(members == 1, members + " members");
        Supplier<Boolean> listed = () -> unchecked(() -> get(admin.listGroups().all()).stream().anyMatch(g -> g.groupId().equals(group)));
        want(listed.get(), "the group is not listed");
        consumer.close();
        Supplier<Long> committed = () -> unchecked(() -> get(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).get(at).offset());
        want(committed.get() == 10, "committed is " + committed.get());
        get(admin.alterConsumerGroupOffsets(group, Map.of(at, new OffsetAndMetadata(3))).all());
        want(committed.get() == 3, "committed is " + committed.get() + " after it was set to 3");
        get(admin.deleteConsumerGroups(List.of(group)).all());
        want(!listed.get(), "the group is there after it was deleted");
        return "describe, list, offsets, set offsets, delete";
    }

    private String adminCluster() throws Exception {
        var described = admin.describeCluster();
        int id = get(described.controller()).id();
        int dirs = get(admin.describeLogDirs(get(described.nodes()).stream().map(n -> n.id()).toList()).allDescriptions()).size();
        return "controller " + id + ", log folders of " + dirs + " broker";
    }

    private String adminTransactions() throws Exception {
        String name = topic("admin-transactions", 1, Map.of());
        TopicPartition at = new TopicPartition(name, 0);
        String id = prefix + ".admin-transactions";
        KafkaProducer<byte[], byte[]> producer = transactional("admin-transactions");
        producer.beginTransaction();
        send(producer, name, 0, List.of("open"));
        want(get(admin.listTransactions().all()).stream().anyMatch(t -> t.transactionalId().equals(id)), "the transaction is not listed");
        Set<TopicPartition> partitions = get(admin.describeTransactions(List.of(id)).description(id)).topicPartitions();
        want(partitions.equals(Set.of(at)), "it is shown with " + partitions);
        want(get(admin.describeProducers(List.of(at)).partitionResult(at)).activeProducers().size() == 1, "its producer is not shown");
        get(admin.fenceProducers(List.of(id)).all());
        fenced(producer::commitTransaction);
        return "list, describe, producers, fence";
    }

    private String adminFeatures() throws Exception {
        return get(admin.describeFeatures().featureMetadata()).finalizedFeatures().entrySet().stream()
                .map(e -> e.getKey() + " " + e.getValue().maxVersionLevel()).sorted().collect(Collectors.joining(", "));
    }

    private String adminQuorum() throws Exception {
        return "leader " + get(admin.describeMetadataQuorum().quorumInfo()).leaderId();
    }

    private String registrySteps() throws Exception {
        String subject = prefix + ".registry-value";
        Schema first = SchemaBuilder.record("T").fields().requiredString("a").endRecord();
        Schema second = SchemaBuilder.record("T").fields().requiredString("a").name("b").type().stringType().stringDefault("").endRecord();
        Schema breaking = SchemaBuilder.record("T").fields().requiredLong("a").endRecord();
        int id = registry.post("/subjects/" + subject + "/versions", first, 200).get("id").asInt();
        want(registry.post("/subjects/" + subject + "/versions", first, 200).get("id").asInt() == id, "the same schema has two ids");
        want(registry.post("/subjects/" + subject, first, 200).get("version").asInt() == 1, "it is not version 1");
        registry.ask("PUT", "/config/" + subject, "{\"compatibility\":\"BACKWARD\"}", 200);
        want(registry.post("/compatibility/subjects/" + subject + "/versions/latest", second, 200).get("is_compatible").asBoolean(), "a field with a default is refused");
        registry.post("/subjects/" + subject + "/versions", breaking, 409);
        Registered latest = new Registered(registry.post("/subjects/" + subject + "/versions", second, 200).get("id").asInt(), second);
        want(registry.latest(subject).id == latest.id, "the newest is not the second");
        GenericRecord record = new GenericData.Record(second);
        record.put("a", "x");
        record.put("b", "y");
        want(registry.decode(latest.encode(record)).get("b").toString().equals("y"), "a record does not come back");
        registry.ask("DELETE", "/subjects/" + subject, "", 200);
        return "register, look up, levels, compatibility, delete";
    }

    private String topic(String name, int partitions, Map<String, String> configs) throws Exception {
        get(admin.createTopics(List.of(new NewTopic(prefix + "." + name, partitions, (short) 1).configs(configs))).all());
        until(name + " is not listed", () -> get(admin.listTopics().names()).contains(prefix + "." + name));
        return prefix + "." + name;
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, String topic, int partition, Collection<String> values) throws Exception {
        var sent = values.stream().map(v -> producer.send(new ProducerRecord<>(topic, partition, null, v.getBytes()))).toList();
        producer.flush();
        for (var s : sent) {
            s.get(WAIT, TimeUnit.SECONDS);
        }
    }

    /** What a reader without a group sees of partition 0: n records, and whatever comes right behind them. */
    private List<String> values(String topic, String isolation, int n) {
        KafkaConsumer<byte[], byte[]> consumer = consumer("values", Map.of("isolation.level", isolation));
        consumer.assign(List.of(new TopicPartition(topic, 0)));
        consumer.seekToBeginning(consumer.assignment());
        List<String> got = new ArrayList<>();
        long end = end(WAIT);
        while (got.size() < n && System.nanoTime() < end) {
            consumer.poll(Duration.ofMillis(200)).forEach(r -> got.add(text(r.value())));
        }
        consumer.poll(Duration.ofMillis(300)).forEach(r -> got.add(text(r.value())));
        return got;
    }

    private KafkaProducer<byte[], byte[]> producer(Map<String, Object> settings) {
        var p = new KafkaProducer<>(base(Map.of("delivery.timeout.ms", WAIT * 1000, "max.block.ms", WAIT * 1000, "request.timeout.ms", 10_000), settings),
                new ByteArraySerializer(), new ByteArraySerializer());
        open.add(() -> p.close(Duration.ofSeconds(2)));
        return p;
    }

    private KafkaProducer<byte[], byte[]> transactional(String name) {
        var p = producer(Map.of("transactional.id", prefix + "." + name, "transaction.timeout.ms", 15_000));
        p.initTransactions();
        return p;
    }

    private KafkaConsumer<byte[], byte[]> consumer(String group, Map<String, Object> settings) {
        var c = new KafkaConsumer<>(
                base(Map.of("group.id", prefix + "." + group, "auto.offset.reset", "earliest", "enable.auto.commit", false, "default.api.timeout.ms", WAIT * 1000), settings),
                new ByteArrayDeserializer(), new ByteArrayDeserializer());
        open.add(() -> c.close());
        return c;
    }

    @SafeVarargs
    private Properties base(Map<String, Object>... settings) {
        Properties p = new Properties();
        p.put("bootstrap.servers", config.get("brokers").asText());
        for (Map<String, Object> s : settings) {
            p.putAll(s);
        }
        return p;
    }

    private static <T> T get(KafkaFuture<T> future) throws Exception {
        return future.get(WAIT, TimeUnit.SECONDS);
    }

    private interface Call<T> {
        T run() throws Exception;
    }

    private static <T> T unchecked(Call<T> call) {
        try {
            return call.run();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private static String text(byte[] b) {
        return new String(b);
    }

    private static long end(int seconds) {
        return System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    }

    /** Waits until a condition holds: what is changed in a cluster is not seen everywhere at once. */
    private static void until(String what, Call<Boolean> condition) throws Exception {
        long end = end(WAIT);
        while (!condition.run()) {
            want(System.nanoTime() < end, what);
            Thread.sleep(50);
        }
    }

    private static void want(boolean condition, String what) {
        if (!condition) {
            throw new IllegalStateException(what);
        }
    }

    /** A schema with its id: a record in the wire format is a zero byte, the id in 4 bytes, the record in Avro. */
    private record Registered(int id, Schema schema) {
        byte[] encode(GenericRecord record) throws Exception {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            new DataOutputStream(out).writeByte(0);
            new DataOutputStream(out).writeInt(id);
            BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
            new GenericDatumWriter<GenericRecord>(schema).write(record, encoder);
            encoder.flush();
            return out.toByteArray();
        }
    }

    /** The registry's API, as far as a producer and a consumer need it. */
    private static final class Registry {
        private static final String TYPE = "application/vnd.schemaregistry.v1+json";

        private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
        private final Map<Integer, Schema> byId = new HashMap<>();
        private final String url;

        Registry(String url) {
            this.url = url;
        }

        JsonNode ask(String method, String path, String body, int status) throws Exception {
            HttpRequest request = HttpRequest.newBuilder(URI.create(url + path)).timeout(Duration.ofSeconds(10)).header("Content-Type", TYPE)
                    .method(method, HttpRequest.BodyPublishers.ofString(body)).build();
            HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
            want(answer.statusCode() == status, method + " " + path + ": " + answer.statusCode() + " " + answer.body());
            return JSON.readTree(answer.body());
        }

        JsonNode post(String path, Schema schema, int status) throws Exception {
            return ask("POST", path, JSON.writeValueAsString(Map.of("schema", schema.toString())), status);
        }

        Registered latest(String subject) throws Exception {
            JsonNode answer = ask("GET", "/subjects/" + subject + "/versions/latest", "", 200);
            return new Registered(answer.get("id").asInt(), new Schema.Parser().parse(answer.get("schema").asText()));
        }

        GenericRecord decode(byte[] value) throws Exception {
            ByteBuffer b = ByteBuffer.wrap(value);
            want(b.get() == 0, "it is not in the wire format");
            int id = b.getInt();
            if (!byId.containsKey(id)) {
                byId.put(id, new Schema.Parser().parse(ask("GET", "/schemas/ids/" + id, "", 200).get("schema").asText()));
            }
            var decoder = DecoderFactory.get().binaryDecoder(value, b.position(), b.remaining(), null);
            return new GenericDatumReader<GenericRecord>(byId.get(id)).read(null, decoder);
        }
    }
}
