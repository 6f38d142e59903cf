"""Reads an Avro object container file with nothing of ours, and writes one JSON line per record.

    python read_container.py <file> <output file>
"""

import json
import sys
from datetime import datetime, timedelta, timezone

import fastavro

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def main(container, output_file):
    with open(container, "rb") as source, open(output_file, "w", encoding="utf-8") as output:
        for record in fastavro.reader(source, return_record_name=True):
            output.write(json.dumps(record, default=to_plain) + "\n")


def to_plain(value):
    if isinstance(value, datetime):
        return (value - EPOCH) // timedelta(milliseconds=1)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value)} is not expected")


main(*sys.argv[1:])
