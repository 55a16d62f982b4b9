"""Reads the counter files of nodes and agents (bus/stats_layout.hpp) without the library."""

import struct

PROCESS, AGENT, PUBLICATION, SUBSCRIPTION, PAIR, TOPIC, DEPARTED, THREAD = range(1, 9)
IDS_AT, IDS_MAX, COUNTERS_AT = 8, 6, 56
TEXT_BYTES = 264  # at the end of a row


class Row:
    """`ids`, `texts`, and the counters by their labels: row["queued"]."""

    def __init__(self, index, offset, ids, texts, counters):
        self.index, self.offset, self.ids, self.texts = index, offset, ids, texts
        self.counters = counters

    def __getitem__(self, label):
        return self.counters[label]


def numbers(data):
    """kind -> label -> number of the counter, as the file describes itself."""
    count, = struct.unpack_from("<I", data, 60)
    at, = struct.unpack_from("<Q", data, 64)
    found = {}
    for index in range(count):
        kind, number = struct.unpack_from("<HH", data, at + 64 * index)
        label = data[at + 64 * index + 4:at + 64 * index + 44].split(b"\0")[0].decode()
        found.setdefault(kind, {})[label] = number
    return found


def parse(data):
    """kind -> rows."""
    row_bytes, rows_at = struct.unpack_from("<IQ", data, 12)
    count, = struct.unpack_from("<I", data, 24)
    labels = numbers(data)
    room = max(number for of_kind in labels.values() for number in of_kind.values()) + 1
    rows = {}
    for index in range(count):
        at = rows_at + row_bytes * index
        kind, = struct.unpack_from("<H", data, at + 4)
        if kind not in labels:
            continue
        words = struct.unpack_from(f"<{room}Q", data, at + COUNTERS_AT)
        texts = data[at + row_bytes - TEXT_BYTES:at + row_bytes].split(b"\0")[:3]
        rows.setdefault(kind, []).append(Row(
            index, at, struct.unpack_from(f"<{IDS_MAX}Q", data, at + IDS_AT),
            [text.decode(errors="replace") for text in texts],
            {label: words[number] for label, number in labels[kind].items()}))
    return rows


def read(path):
    with open(path, "rb") as file:
        return parse(file.read())


def add(path, kind, label, amount):
    """Falsifies a counter of the first row of this kind."""
    with open(path, "r+b") as file:
        data = file.read()
        place = parse(data)[kind][0].offset + COUNTERS_AT + 8 * numbers(data)[kind][label]
        value, = struct.unpack_from("<Q", data, place)
        file.seek(place)
        file.write(struct.pack("<Q", value + amount))
