package io.crmstream.peer;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.WriteBufferManager;

/** Gives RocksDB what crmstream gives Pebble, shared by all partitions. */
public final class Rocks implements RocksDBConfigSetter {
  static {
    org.rocksdb.RocksDB.loadLibrary();
  }

  private static final Cache BLOCKS = new LRUCache(128L << 20);
  private static final WriteBufferManager TABLES =
      new WriteBufferManager(128L << 20, new LRUCache(8L << 20));

  @Override
  public void setConfig(String store, Options o, Map<String, Object> configs) {
    BlockBasedTableConfig t = (BlockBasedTableConfig) o.tableFormatConfig();
    t.setBlockCache(BLOCKS);
    t.setBlockSize(16 << 10);
    t.setFilterPolicy(new BloomFilter(10));
    o.setTableFormatConfig(t);
    o.setWriteBufferManager(TABLES);
    o.setWriteBufferSize(32L << 20);
    o.setMaxWriteBufferNumber(4);
  }

  @Override
  public void close(String store, Options o) {
    // What is shared lives as long as the process.
  }
}
