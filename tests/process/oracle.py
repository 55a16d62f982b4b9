"""What the programs of a test wrote down themselves (oracle_file.hpp), and judgement of it.

Records are (id, value): of a publisher the intended time of each message, of a subscriber how long
after it the message was handled. An id is writer << 48 | stream << 40 | number.
"""

import array
import struct

HEAD_BYTES = 4096
RECORD_BYTES = 16
PIECE = 1 << 20  # records that are in memory at a time
NUMBER_BITS = 40
NUMBER_MASK = (1 << NUMBER_BITS) - 1


def count_of(path):
    """How many records there are; cheap, also while they are written."""
    with open(path, "rb") as file:
        return struct.unpack("<Q", file.read(8))[0]


def read(path, first=0, end=None):
    """The ids and the values of records [first, end)."""
    end = count_of(path) if end is None else end
    words = array.array("Q")
    with open(path, "rb") as file:
        file.seek(HEAD_BYTES + first * RECORD_BYTES)
        words.frombytes(file.read((end - first) * RECORD_BYTES))
    return words[0::2], words[1::2]


def ids(path):
    """The ids of all records, in pieces."""
    end = count_of(path)
    for first in range(0, end, PIECE):
        yield read(path, first, min(end, first + PIECE))[0]


def stream_of(identity):
    return identity >> NUMBER_BITS


def runs_of(path):
    """stream -> [(first, last), ...]: the numbers of each stream in the order in which they stand
    in the file, as runs of consecutive ones. One run is what no loss, double or disorder leaves."""
    runs = {}
    pending = {}  # stream -> [first id, last id]
    for piece in ids(path):
        for identity in piece:
            stream = identity >> NUMBER_BITS
            run = pending.get(stream)
            if run is not None and identity == run[1] + 1:
                run[1] = identity
                continue
            if run is not None:
                runs.setdefault(stream, []).append(tuple(run))
            pending[stream] = [identity, identity]
    for stream, run in pending.items():
        runs.setdefault(stream, []).append(tuple(run))
    return {stream: [(first & NUMBER_MASK, last & NUMBER_MASK) for first, last in of_stream]
            for stream, of_stream in runs.items()}


def sent_of(path):
    """stream -> number of its last message; every number from 1 on was published, once."""
    sent = {}
    for stream, runs in runs_of(path).items():
        if len(runs) != 1 or runs[0][0] != 1:
            raise AssertionError(f"{path}: the program did not count on: {runs[:5]}")
        sent[stream] = runs[0][1]
    return sent


def faults(runs):
    """What is wrong with what a lossless subscriber saw of one stream."""
    found = []
    for before, after in zip(runs, runs[1:]):
        if after[0] > before[1]:
            found.append(f"{after[0] - before[1] - 1} lost after {before[1]}")
        else:
            found.append(f"{after[0]} came after {before[1]}")
    return found


def faults_of_order(path):
    """What came twice or out of order, where messages may be missing."""
    return [f"stream {stream:#x}: {after[0]} came after {before[1]}"
            for stream, runs in runs_of(path).items()
            for before, after in zip(runs, runs[1:]) if after[0] <= before[1]]


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0
