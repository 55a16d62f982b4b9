"""Buses whose agents are witnesses (witness.cpp): each writes down what it did."""

import json
import os
import subprocess

import counter_file
import oracle
from bus_case import PATIENCE, BusCase, test_agent


class Witness:
    """A running witness; `path` is its file."""

    def __init__(self, process, role, name, path, writer):
        self.process, self.role, self.name, self.path = process, role, name, path
        self.writer = writer  # of a publisher: its number in ids
        self.pid = process.pid

    def count(self):
        return oracle.count_of(self.path)

    def tell(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def set_rate(self, rate, stream=0):
        """Of a publisher: messages a second, or "max"."""
        self.tell(f"rate {stream} {rate}")

    def set_pause(self, microseconds):
        """Of a subscriber: for each message."""
        self.tell(f"pause {microseconds}")

    def report(self):
        """Makes it end, but for its last step of a publisher; what its library says."""
        self.tell("end 0 0" if self.role == "pub" else "end 0")
        return json.loads(self.process.stdout.readline())

    def is_running(self):
        return self.process.poll() is None


class WitnessCase(BusCase):
    def setUp(self):
        super().setUp()
        self.writers = 0
        self.files = 0
        self.witness_env = {}  # what is added to the environment of those that start from now on

    def start_witness(self, role, name, *words, writer=None):
        self.files += 1
        path = os.path.join(self.base, f"{self.files:04}-{name}.{role}")
        process = subprocess.Popen(
            [test_agent("witness"), role, name, path, *map(str, words)],
            env={**self.env, **self.witness_env},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.started.append(process)
        self.assertEqual(process.stdout.readline(), b"ready\n", f"{name} did not start")
        return Witness(process, role, name, path, writer)

    def publisher(self, name, size, *streams):
        """`streams`: TOPIC[/LANE]@RATE."""
        self.writers += 1
        return self.start_witness("pub", name, self.writers, size, *streams, writer=self.writers)

    def subscriber(self, name, pattern, policy="lossless", queue=0, pause=0):
        return self.start_witness("sub", name, pattern, policy, queue, pause)

    def finish_witness(self, witness):
        """Its last report; it has left the bus."""
        report = witness.report()
        witness.process.stdin.close()
        self.assertEqual(witness.process.wait(PATIENCE), 0, witness.name)
        return report

    # -- counters, read without the product --------------------------------------------------

    def node_counters(self):
        return counter_file.read(os.path.join(self.runtime, "node.counters"))

    def agent_counters(self, witness):
        path = os.path.join(self.runtime, "agents", f"{witness.name}-{witness.pid}.counters")
        return counter_file.read(path)

    def subscription_row(self, rows, name):
        """The row of an agent's only subscription in the node's counters."""
        ids = {row.ids[0] for row in rows.get(counter_file.AGENT, []) if row.texts[0] == name}
        found = [row for row in rows.get(counter_file.SUBSCRIPTION, []) if row.ids[0] in ids]
        self.assertEqual(len(found), 1, name)
        return found[0]

    # -- judging ------------------------------------------------------------------------------

    def audit(self, code=0):
        """What `audit` says of a bus at rest."""
        done = self.abuzz("audit", "--json", "--wait", f"{PATIENCE}s")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def assert_saw_all(self, subscriber, sent, first=1):
        """Of each stream in `sent` (stream -> last number) it saw every message from `first` on,
        once, in order."""
        seen = oracle.runs_of(subscriber.path)
        for stream, last in sent.items():
            self.assertEqual(seen.get(stream), [(first, last)],
                             f"{subscriber.name}, stream {stream:#x}")
