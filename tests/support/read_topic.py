"""Reads the events of a topic with nothing of ours: a Kafka client, an Avro library and the registry's HTTP API.

    python read_topic.py <brokers> <registry url> <topic> <output file>

Writes one JSON line per record that counts, in the order of each partition. The one rule a reader has to know (docs/decisions/
0001-predicted-offsets.md): a record counts only where its header `predicted-offset` is the offset that it has.
"""

import io
import json
import struct
import sys
import urllib.request
from datetime import datetime, timedelta, timezone

import fastavro
from kafka import KafkaConsumer, TopicPartition

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
POLL_MS = 1_000
MAX_EMPTY_POLLS = 20


def main(brokers, registry, topic, output_file):
    consumer = KafkaConsumer(bootstrap_servers=brokers.split(","), enable_auto_commit=False, group_id=None)
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    ends = consumer.end_offsets(partitions)
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    schemas = {}
    empty_polls = 0
    with open(output_file, "w", encoding="utf-8") as output:
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            batches = consumer.poll(timeout_ms=POLL_MS)
            empty_polls = 0 if batches else empty_polls + 1
            if empty_polls > MAX_EMPTY_POLLS:
                sys.exit("the topic cannot be read to its end")
            for record in (record for records in batches.values() for record in records if counts(record)):
                output.write(json.dumps(describe(record, registry, schemas), default=to_milliseconds) + "\n")
    consumer.close()


def counts(record):
    predicted = dict(record.headers).get("predicted-offset")
    return predicted is not None and predicted == str(record.offset).encode()


def describe(record, registry, schemas):
    magic, schema_id = struct.unpack(">bI", record.value[:5])
    if magic != 0:
        sys.exit(f"offset {record.offset} is not in the wire format")
    if schema_id not in schemas:
        with urllib.request.urlopen(f"{registry}/schemas/ids/{schema_id}", timeout=10) as answer:
            schemas[schema_id] = fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
    schema = schemas[schema_id]
    body = io.BytesIO(record.value[5:])
    event = fastavro.schemaless_reader(body, schema)
    if body.read():
        sys.exit(f"offset {record.offset} has bytes left over")
    return {
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key.decode(),
        "type": schema["name"],
        "event": event,
    }


def to_milliseconds(moment):
    return (moment - EPOCH) // timedelta(milliseconds=1)


main(*sys.argv[1:])
