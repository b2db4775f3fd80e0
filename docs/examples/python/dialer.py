"""A dialer in another language: sends calls with confluent-kafka and reads sync.calls and sync.contacts.

usage: dialer.py BROKER REGISTRY TENANT NUMBER COUNT [PARTITIONER]
"""

import sys
import time
from datetime import datetime, timedelta, timezone

from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext


def main(broker, registry, tenant, number, count, partitioner="murmur2_random"):
    client = SchemaRegistryClient({"url": registry})
    schema = client.get_latest_version("dialer.calls-value").schema.schema_str
    encode = AvroSerializer(client, schema, conf={"auto.register.schemas": False, "use.latest.version": True})
    producer = Producer({"bootstrap.servers": broker, "enable.idempotence": True, "partitioner": partitioner})
    run = str(int(time.time() * 1000))
    wanted = set()
    failed = []
    for n in range(int(count)):
        ended = datetime.now(timezone.utc)
        call = {
            "call_id": f"py-{run}-{n}", "revision": 1, "direction": "outbound", "started_at": ended - timedelta(seconds=90), "ended_at": ended,
            "duration_seconds": 90, "from_number": "+14155550100", "to_number": number, "agent_email": "rep@example.com", "disposition": "Connected",
        }
        value = encode(call, SerializationContext("dialer.calls", MessageField.VALUE))
        producer.produce("dialer.calls", key=tenant, value=value, on_delivery=lambda err, _: err and failed.append(err))
        wanted.add(f"{tenant}/{call['call_id']}")
    producer.flush(30)
    if failed:
        sys.exit(f"{len(failed)} calls were not acknowledged: {failed[0]}")

    decode = AvroDeserializer(client)
    consumer = Consumer({"bootstrap.servers": broker, "group.id": f"py-{run}", "auto.offset.reset": "earliest", "isolation.level": "read_committed"})
    consumer.subscribe(["sync.calls", "sync.contacts"])
    contacts = {}
    deadline = time.time() + 60
    while wanted and time.time() < deadline:
        message = consumer.poll(1.0)
        if message is None or message.error() or message.value() is None:
            continue
        record = decode(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
        if message.topic() == "sync.contacts":
            contacts[message.key().decode()] = {f["name"]: f["value"] for f in record["fields"]}
        elif record["status"] == "synced":
            wanted.discard(message.key().decode())
    consumer.close()
    print(f"{count} calls sent, {len(wanted)} not logged; {len(contacts)} contacts read")
    if wanted:
        sys.exit("not all calls are in the CRM")


if __name__ == "__main__":
    main(*sys.argv[1:])
