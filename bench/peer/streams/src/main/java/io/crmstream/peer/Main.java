package io.crmstream.peer;

import java.util.Arrays;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The contact merge on Kafka Streams: contact changes in, merged contacts and field changes out,
 * people in RocksDB with a changelog, exactly_once_v2. It prints "running" once it is, and ends
 * when it is told to.
 *
 * <p>Settings come as system properties: see bench/peer/streams.go, which gives them.
 */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws InterruptedException {
    Registry registry = new Registry(need("registry"));
    String contacts = need("contacts");
    String changes = need("changes");
    // One schema each, asked for once.
    Registry.Schema contact = registry.newest(need("contacts.subject"));
    Registry.Schema change = registry.newest(need("changes.subject"));

    StoreBuilder<KeyValueStore<Bytes, byte[]>> people =
        Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(Merge.STORE), Serdes.Bytes(), Serdes.ByteArray())
            .withCachingEnabled();
    Topology topology = new Topology();
    topology.addSource("in", need("input"));
    topology.addProcessor("merge", () -> new Merge(registry, contact, change), "in");
    topology.addStateStore(people, "merge");
    topology.addSink(Merge.CONTACTS, contacts, Main::byTenant, "merge");
    topology.addSink(Merge.CHANGES, changes, Main::byTenant, "merge");

    KafkaStreams streams = new KafkaStreams(topology, settings());
    CountDownLatch failed = new CountDownLatch(1);
    streams.setUncaughtExceptionHandler(
        e -> {
          e.printStackTrace();
          failed.countDown();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    streams.setStateListener(
        (now, before) -> {
          if (now == KafkaStreams.State.RUNNING) {
            System.out.println("running");
          }
        });
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
    failed.await(); // a signal ends the process through the hook
    System.exit(1);
  }

  /** Keys are tenant/person; what is a tenant's stays in the tenant's partition. */
  private static Optional<Set<Integer>> byTenant(
      String topic, byte[] key, byte[] value, int partitions) {
    int n = 0;
    while (n < key.length && key[n] != '/') {
      n++;
    }
    int hash = Utils.toPositive(Utils.murmur2(Arrays.copyOf(key, n)));
    return Optional.of(Set.of(hash % partitions));
  }

  private static Properties settings() {
    Properties p = new Properties();
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, need("application"));
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, need("brokers"));
    p.put(StreamsConfig.STATE_DIR_CONFIG, need("state"));
    p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, need("commit"));
    p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, need("threads"));
    p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    // What crmstream gives to its cache of rows.
    p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L << 20);
    p.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, Rocks.class);
    p.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000);
    p.put(StreamsConfig.topicPrefix("segment.index.bytes"), "262144"); // as crmstream's topics
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "snappy");
    p.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 128L << 20);
    return p;
  }

  private static String need(String name) {
    String v = System.getProperty("peer." + name);
    if (v == null) {
      throw new IllegalArgumentException("-Dpeer." + name + " is missing");
    }
    return v;
  }
}
