"""What confluent-kafka (librdkafka) does with a broker and a registry: one line per step, "ok STEP: …" or "failed STEP: …".

usage: client.py CONFIG.json (package internal/clients writes it and reads the lines)
"""

import json
import sys
import time
from datetime import datetime, timedelta, timezone

from confluent_kafka import (
    Consumer, ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType,
)
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

WAIT = 20  # seconds for anything that a broker has to do

with open(sys.argv[1]) as f:
    config = json.load(f)
base = {"bootstrap.servers": config["brokers"], "log_level": 0}
prefix = config["prefix"]
admin = AdminClient(base)
registry = SchemaRegistryClient({"url": config["registry"]})
steps = []


def step(name):
    """Adds a function to the steps; what it returns is the detail of its ok line."""
    def add(fn):
        steps.append((name, fn))
        return fn
    return add


def want(condition, what):
    if not condition:
        raise AssertionError(what)


def done(futures):
    """Waits for an admin call's futures and returns its results by key."""
    return {key: future.result(WAIT) for key, future in futures.items()}


def until(what, condition):
    """Waits until a condition holds: what is changed in a cluster is not seen everywhere at once."""
    end = time.monotonic() + WAIT
    while not condition():
        want(time.monotonic() < end, what)
        time.sleep(0.05)


def topic(name, partitions=1, **configs):
    name = f"{prefix}.{name}"
    settings = {key.replace("_", "."): value for key, value in configs.items()}
    done(admin.create_topics([NewTopic(name, partitions, 1, config=settings)], operation_timeout=WAIT))
    until(f"{name} is not listed", lambda: name in admin.list_topics(timeout=WAIT).topics)
    return name


def send(producer, name, values, **kw):
    """Sends and returns each record's partition as the broker acknowledged it."""
    partitions = []
    failed = []

    def delivered(err, message):
        if err:
            failed.append(err)
        else:
            partitions.append(message.partition())

    for value in values:
        producer.produce(name, value=value, on_delivery=delivered, **kw)
    left = producer.flush(WAIT)
    if failed:
        raise KafkaException(failed[0])
    want(left == 0, f"{left} records were not acknowledged in {WAIT} s")
    return partitions


def consumer(group, **kw):
    settings = {"group.id": f"{prefix}.{group}", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    settings.update({key.replace("_", "."): value for key, value in kw.items()})
    return Consumer(base | settings)


def read(c, n, seconds=WAIT):
    """Polls for n records, fewer if the time is up."""
    got = []
    end = time.monotonic() + seconds
    while len(got) < n and time.monotonic() < end:
        message = c.poll(0.2)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        got.append(message)
    return got


def commit(c, seconds=0):
    """Commits what c has read. A commit in the middle of a rebalance is refused: it is tried again until the time is up."""
    end = time.monotonic() + seconds
    while True:
        try:
            c.commit(asynchronous=False)
            return
        except KafkaException as e:
            if e.args[0].code() == KafkaError._NO_OFFSET:
                return  # nothing new was read
            if e.args[0].code() not in AMID_REBALANCE or (seconds and time.monotonic() > end):
                raise
            if not seconds:
                return
            read(c, 1, 0.2)


AMID_REBALANCE = (KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.STALE_MEMBER_EPOCH, KafkaError.UNKNOWN_MEMBER_ID)


def call(kind, n):
    ended = datetime.now(timezone.utc)
    return {
        "call_id": f"{prefix}-{kind}-{n}", "revision": 1, "direction": "outbound", "started_at": ended - timedelta(seconds=90), "ended_at": ended,
        "duration_seconds": 90, "from_number": "+14155550100", "to_number": "+14155551234", "agent_email": "rep@example.com", "disposition": "Connected",
    }


def send_calls(kind, **kw):
    """Sends a call of each tenant; returns how many are not in their tenant's partition."""
    schema = registry.get_latest_version(config["calls"] + "-value").schema.schema_str
    encode = AvroSerializer(registry, schema, conf={"auto.register.schemas": False, "use.latest.version": True})
    producer = Producer(base | {"enable.idempotence": True} | kw)
    elsewhere = 0
    for n, (tenant, partition) in enumerate(config["tenants"].items()):
        value = encode(call(kind, n), SerializationContext(config["calls"], MessageField.VALUE))
        elsewhere += send(producer, config["calls"], [value], key=tenant) != [partition]
    return elsewhere


@step("metadata")
def _():
    meta = admin.list_topics(timeout=WAIT)
    want(config["calls"] in meta.topics, config["calls"] + " is not listed")
    return f"{len(meta.brokers)} broker, {len(meta.topics)} topics"


@step("produce")
def _():
    elsewhere = send_calls("set", partitioner="murmur2_random")
    want(elsewhere == 0, f"{elsewhere} calls are in other partitions than their tenant's")
    return f"{len(config['tenants'])} calls with partitioner=murmur2_random"


@step("default-partitioner")
def _():
    elsewhere = send_calls("default")
    want(elsewhere == 0, f"{elsewhere} of {len(config['tenants'])} calls are in other partitions than their tenant's")


@step("read")
def _():
    decode = AvroDeserializer(registry)
    c = consumer("read")
    c.subscribe([config["sync"]])
    try:
        wanted = dict(config["samples"])
        end = time.monotonic() + WAIT
        while wanted and time.monotonic() < end:
            for message in read(c, 1, 1):
                if (key := message.key().decode()) not in wanted:
                    continue
                record = decode(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
                want(record["logged"][0]["id"] == wanted.pop(key), f"{key} reads as {record}")
        want(not wanted, f"{len(wanted)} records did not come")
        return f"{len(config['samples'])} records of {config['sync']}"
    finally:
        c.close()


@step("compression")
def _():
    name = topic("compression")
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
    sent = set()
    for codec in codecs:
        values = [f"{codec} {n} ".encode() * 50 for n in range(20)]
        sent.update(values)
        send(Producer(base | {"compression.type": codec, "linger.ms": 50}), name, values)
    c = consumer("compression")
    c.subscribe([name])
    try:
        want({m.value() for m in read(c, len(sent))} == sent, "what was read is not what was sent")
        return ", ".join(codecs)
    finally:
        c.close()


def rebalance(kind, **kw):
    """Two members share a topic, commit and leave; a third finds nothing left to do."""
    name = topic(kind, 6)
    for p in range(6):
        send(Producer(base), name, [f"{p} {n}".encode() for n in range(10)], partition=p)
    seen = []
    first, second, third = (consumer(kind, **kw) for _ in range(3))
    try:
        first.subscribe([name])
        seen += read(first, 20)
        commit(first, WAIT)
        second.subscribe([name])
        end = time.monotonic() + 2 * WAIT
        while (len(first.assignment()), len(second.assignment())) != (3, 3):
            want(time.monotonic() < end, f"the members have {len(first.assignment())} and {len(second.assignment())} of 6 partitions")
            for c in (first, second):
                got = read(c, 1, 0.3)
                commit(c)
                seen += got
        while len({m.value() for m in seen}) < 60:
            want(time.monotonic() < end, f"{len({m.value() for m in seen})} of 60 records came")
            seen += read(first, 10, 0.5) + read(second, 10, 0.5)
        commit(first, WAIT)
        commit(second, WAIT)
        committed = third.committed([TopicPartition(name, p) for p in range(6)], timeout=WAIT)
        want(sum(p.offset for p in committed) == 60, f"committed are {[p.offset for p in committed]}")
        first.close()
        second.close()
        third.subscribe([name])
        end = time.monotonic() + WAIT
        while len(third.assignment()) < 6:
            want(time.monotonic() < end, "the third member was given nothing")
            want(not read(third, 1, 0.2), "a committed record came again")
        want(not read(third, 1, 1), "a committed record came again")
        return f"60 records, {len(seen) - 60} of them twice, 6 partitions shared 3 and 3"
    finally:
        for c in (first, second, third):
            c.close()


@step("group")
def _():
    return rebalance("group")


@step("group-cooperative")
def _():
    return rebalance("group-cooperative", partition_assignment_strategy="cooperative-sticky")


@step("group-kip848")
def _():
    return rebalance("group-kip848", group_protocol="consumer")


def transactional(name, **kw):
    p = Producer(base | {"transactional.id": f"{prefix}.{name}"} | kw)
    p.init_transactions(WAIT)
    return p


def values(name, isolation, n, seconds):
    c = consumer(f"{name}.{isolation}", isolation_level=isolation)
    c.assign([TopicPartition(name, 0, 0)])
    try:
        return [m.value().decode() for m in read(c, n, seconds)]
    finally:
        c.close()


@step("transaction")
def _():
    name = topic("transaction")
    p = transactional("transaction")
    for value, end in [("kept", p.commit_transaction), ("dropped", p.abort_transaction), ("last", p.commit_transaction)]:
        p.begin_transaction()
        for n in range(3):
            p.produce(name, value=f"{value} {n}", partition=0)
        want(p.flush(WAIT) == 0, "not acknowledged")
        end(WAIT)
    committed = values(name, "read_committed", 6, WAIT)
    want(committed == [f"{v} {n}" for v in ("kept", "last") for n in range(3)], f"read_committed shows {committed}")
    everything = values(name, "read_uncommitted", 9, WAIT)
    want(len(everything) == 9, f"read_uncommitted shows {everything}")
    return "read_committed shows the committed ones only"


@step("transaction-offsets")
def _():
    source, target = topic("txn-source"), topic("txn-target")
    send(Producer(base), source, [str(n) for n in range(10)], partition=0)
    c = consumer("txn-offsets")
    c.subscribe([source])
    p = transactional("txn-offsets")
    try:
        for commit in (True, False):
            got = read(c, 5 if commit else 1)
            want(got, "no records came")
            p.begin_transaction()
            for m in got:
                p.produce(target, value=m.value(), partition=0)
            p.send_offsets_to_transaction([TopicPartition(source, 0, got[-1].offset() + 1)], c.consumer_group_metadata(), WAIT)
            p.commit_transaction(WAIT) if commit else p.abort_transaction(WAIT)
            at = c.committed([TopicPartition(source, 0)], timeout=WAIT)[0].offset
            want(at == 5, f"the group is at {at}, not at 5")
        got = values(target, "read_committed", 5, WAIT)
        want(got == [str(n) for n in range(5)], f"the target shows {got}")
        return "the aborted batch moved no offset"
    finally:
        c.close()


def fenced(act):
    """The name of the error with which an older producer is kept from going on."""
    try:
        act()
    except KafkaException as e:
        error = e.args[0]
        want(error.fatal() or error.code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED), f"not fenced, but {error}")
        return error.name()
    raise AssertionError("the older producer could go on")


@step("fencing")
def _():
    name = topic("fencing")
    old = transactional("fencing")
    old.begin_transaction()
    send(old, name, ["of the old"], partition=0)
    new = transactional("fencing")
    new.begin_transaction()
    send(new, name, ["of the new"], partition=0)
    error = fenced(lambda: old.commit_transaction(WAIT))
    new.commit_transaction(WAIT)
    got = values(name, "read_committed", 1, WAIT)
    want(got == ["of the new"], f"read_committed shows {got}")
    return error


@step("fencing-idle")
def _():
    """The successor has done nothing yet: neither a commit nor an abort may let the older producer go on."""
    for end in ("commit_transaction", "abort_transaction"):
        name = topic(f"fencing-{end}")
        old = transactional(f"fencing-{end}")
        old.begin_transaction()
        send(old, name, ["of the old"], partition=0)
        new = transactional(f"fencing-{end}")

        def go_on():
            getattr(old, end)(WAIT)
            old.begin_transaction()
            send(old, name, ["of the old, come back"], partition=0)
            old.commit_transaction(WAIT)

        fenced(go_on)
        new.begin_transaction()
        send(new, name, ["of the new"], partition=0)
        new.commit_transaction(WAIT)
        got = values(name, "read_committed", 1, WAIT)
        want(got == ["of the new"], f"read_committed shows {got}")
    return "by commit and by abort"


@step("admin-topics")
def _():
    name = topic("admin-topics", 2, **{"retention_ms": "3600000"})
    try:
        topic("admin-topics", 2)
        raise AssertionError("a topic could be made twice")
    except KafkaException as e:
        want(e.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS, str(e))
    done(admin.create_partitions([NewPartitions(name, 4)]))
    until("it has not four partitions", lambda: len(done(admin.describe_topics(TopicCollection([name]), request_timeout=WAIT))[name].partitions) == 4)
    done(admin.delete_topics([name], operation_timeout=WAIT))
    until("it is there after it was deleted", lambda: name not in admin.list_topics(timeout=WAIT).topics)
    return "create, add partitions, describe, delete"


@step("admin-configs")
def _():
    name = topic("admin-configs", **{"retention_ms": "3600000", "cleanup_policy": "compact"})
    resource = ConfigResource(ResourceType.TOPIC, name)

    def shown():
        entries = list(done(admin.describe_configs([resource], request_timeout=WAIT)).values())[0]
        return {k: entries[k].value for k in ("retention.ms", "cleanup.policy")}

    until("it is not shown as it was made", lambda: shown() == {"retention.ms": "3600000", "cleanup.policy": "compact"})
    resource.add_incremental_config(ConfigEntry("retention.ms", "7200000", incremental_operation=AlterConfigOpType.SET))
    done(admin.incremental_alter_configs([resource], request_timeout=WAIT))
    until("it is not shown as it was changed", lambda: shown()["retention.ms"] == "7200000")
    broker = ConfigResource(ResourceType.BROKER, str(next(iter(admin.list_topics(timeout=WAIT).brokers))))
    entries = list(done(admin.describe_configs([broker], request_timeout=WAIT)).values())[0]
    return f"of topics, and {len(entries)} of the broker"


def offset(name, spec):
    futures = admin.list_offsets({TopicPartition(name, 0): spec}, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=WAIT)
    return list(done(futures).values())[0].offset


@step("admin-offsets")
def _():
    name = topic("admin-offsets")
    send(Producer(base), name, [str(n) for n in range(10)], partition=0)
    ends = [offset(name, spec) for spec in (OffsetSpec.earliest(), OffsetSpec.latest())]
    want(ends == [0, 10], f"the ends are {ends}")
    want(offset(name, OffsetSpec.for_timestamp(1)) == 0, "the first record after 1970 is not the first")
    return "earliest, latest, by time"


@step("admin-delete-records")
def _():
    name = topic("admin-delete-records")
    send(Producer(base), name, [str(n) for n in range(10)], partition=0)
    done(admin.delete_records([TopicPartition(name, 0, 4)], request_timeout=WAIT))
    start = offset(name, OffsetSpec.earliest())
    want(start == 4, f"the start is {start} after 4 were deleted")
    got = values(name, "read_committed", 6, WAIT)
    want(got == [str(n) for n in range(4, 10)], f"left are {got}")


@step("admin-groups")
def _():
    name = topic("admin-groups")
    group = f"{prefix}.admin-groups"
    send(Producer(base), name, [str(n) for n in range(10)], partition=0)
    c = consumer("admin-groups")
    c.subscribe([name])
    want(len(read(c, 10)) == 10, "not all records came")
    c.commit(asynchronous=False)
    described = done(admin.describe_consumer_groups([group], request_timeout=WAIT))[group]
    want(len(described.members) == 1, f"{len(described.members)} members")
    listed = admin.list_consumer_groups(request_timeout=WAIT).result(WAIT)
    want(group in [g.group_id for g in listed.valid], "the group is not listed")
    c.close()

    def committed():
        r = done(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=WAIT))
        return {(p.topic, p.partition): p.offset for p in r[group].topic_partitions}

    want(committed() == {(name, 0): 10}, f"committed is {committed()}")
    done(admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(name, 0, 3)])], request_timeout=WAIT))
    want(committed() == {(name, 0): 3}, f"committed is {committed()} after it was set to 3")
    done(admin.delete_consumer_groups([group], request_timeout=WAIT))
    listed = admin.list_consumer_groups(request_timeout=WAIT).result(WAIT)
    want(group not in [g.group_id for g in listed.valid], "the group is there after it was deleted")
    return "describe, list, offsets, set offsets, delete"


@step("admin-cluster")
def _():
    described = admin.describe_cluster(request_timeout=WAIT).result(WAIT)
    return f"{len(described.nodes)} broker, controller {described.controller.id}"


@step("registry")
def _():
    subject = f"{prefix}.registry-value"
    record = {"type": "record", "name": "T", "fields": [{"name": "a", "type": "string"}]}
    first = Schema(json.dumps(record), "AVRO")
    second = Schema(json.dumps(record | {"fields": record["fields"] + [{"name": "b", "type": "string", "default": ""}]}), "AVRO")
    breaking = Schema(json.dumps(record | {"fields": [{"name": "a", "type": "long"}]}), "AVRO")
    number = registry.register_schema(subject, first)
    want(registry.register_schema(subject, first) == number, "the same schema has two ids")
    want(registry.lookup_schema(subject, first).version == 1, "it is not version 1")
    registry.set_compatibility(subject, "BACKWARD")
    want(registry.get_compatibility(subject) == "BACKWARD", "the level is not what was set")
    want(registry.test_compatibility(subject, second), "an added field with a default is refused")
    want(not registry.test_compatibility(subject, breaking), "a changed type is let through")
    later = registry.register_schema(subject, second)
    want(later > number, "the second schema's id is not higher")
    want(registry.get_versions(subject) == [1, 2], "the versions are not 1 and 2")
    want(registry.get_latest_version(subject).schema_id == later, "the newest is not the second")
    want(registry.get_version(subject, 1).schema_id == number, "version 1 is not the first")
    want(json.loads(registry.get_schema(number).schema_str)["fields"] == record["fields"], "the schema is not what was registered")
    want([(v.subject, v.version) for v in registry.get_schema_versions(later) if v.subject == subject] == [(subject, 2)], "the id is not in version 2")
    want(subject in registry.get_subjects(), "the subject is not listed")
    try:
        registry.register_schema(subject, breaking)
        raise AssertionError("a breaking schema was registered")
    except SchemaRegistryError as e:
        want(e.http_status_code == 409, str(e))
    registry.delete_version(subject, 2)
    want(registry.get_versions(subject) == [1], "version 2 is there after it was deleted")
    registry.delete_subject(subject)
    registry.delete_subject(subject, permanent=True)
    want(subject not in registry.get_subjects(), "the subject is there after it was deleted")
    return "register, look up, versions, levels, compatibility, delete"


@step("registry-extras")
def _():
    subject = f"{prefix}.extras-value"
    texts = [json.dumps({"type": "record", "name": "E", "fields": [{"name": f"f{i}", "type": "string", "default": ""} for i in range(n)]}) for n in (1, 2)]
    number = [registry.register_schema(subject, Schema(t, "AVRO")) for t in texts][0]
    want(registry.test_compatibility(subject, Schema(texts[0], "AVRO"), version=1), "a schema is not compatible with itself")
    want(registry.test_compatibility_all_versions(subject, Schema(texts[1], "AVRO")), "a schema is not compatible with all versions")
    want(subject in registry.get_subjects_by_schema_id(number), "the id's subjects lack it")
    want(registry.get_referenced_by(subject, 1) == [], "it is referenced")
    want("AVRO" in registry.get_schema_types(), "AVRO is no type")
    want(registry.get_global_mode() == "READWRITE", "the mode is not READWRITE")
    want("." in registry.get_contexts(), "there is no default context")
    registry.update_mode(subject, "READONLY")
    want(registry.get_mode(subject) == "READONLY", "the subject's mode is not what was set")
    try:
        registry.register_schema(subject, Schema(json.dumps({"type": "record", "name": "E", "fields": []}), "AVRO"))
        raise AssertionError("a subject that is READONLY took a schema")
    except SchemaRegistryError as e:
        want(e.http_status_code == 422, str(e))
    registry.delete_mode(subject)
    registry.set_compatibility(subject, "FULL")
    registry.delete_config(subject)
    registry.delete_subject(subject)
    return "one version, all versions, types, contexts, modes, configs deleted"


def main():
    for name, fn in steps:
        try:
            detail = fn() or ""
            print(f"ok {name}: {detail}", flush=True)
        except Exception as e:  # a step that fails is a line, and the others go on
            print(f"failed {name}: {type(e).__name__}: {e}".replace("\n", " "), flush=True)


main()
