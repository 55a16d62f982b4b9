"""Agents are moved between the shards of their node, under load and at any moment: nothing is lost,
doubled or reordered, nobody is gone, and nothing else looks as if a link was lost.

The judges are what the programs wrote down themselves; `audit` must agree with them.
"""

import os
import random
import subprocess
import time
import unittest

import counter_file
import oracle
from bus_case import PATIENCE, campaign_count, test_agent
from witness_case import WitnessCase

MOVES = 1000
BYTES = 100
# An order of its own in each topic and lane; the last does not fit a frame.
STREAMS = ("move.one@4000", "move.one/high@500", "move.two/bulk@4000")
LARGE = ("move.large@20",)
LARGE_BYTES = 200_000
PUBLISHERS = 3
READERS = (("move.one", "lossless", 50), ("move.two", "lossless", 50),
           ("move.large", "lossless", 0), ("move.>", "drop_old", 300))


class Moves(WitnessCase):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("ABUZZ_TEST_SEED") or random.randrange(1 << 32))
        print(f"ABUZZ_TEST_SEED={seed}", flush=True)
        self.random = random.Random(seed)

    def start_node(self, shards):
        node = subprocess.Popen([test_agent("mover"), str(shards)], env=self.env,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)
        self.started.append(node)
        self.assertEqual(node.stdout.readline(), b"ready\n")
        return node

    def moves(self):
        return self.node_counters()[counter_file.PROCESS][0]["moves between shards"]

    def move_one(self, node, names, shards):
        name, before = self.random.choice(names), self.moves()
        for shard in self.random.sample(range(shards), shards):
            node.stdin.write(f"{name} {shard}\n".encode())
            node.stdin.flush()
            # It was there already, or the agent is busy with its last move.
            until = time.monotonic() + 0.05
            while time.monotonic() < until:
                if self.moves() > before:
                    return True
                time.sleep(0.001)
        return False

    def test_campaign_of_moves(self):
        shards = 2
        node = self.start_node(shards)
        readers = [self.subscriber(f"sub-{number}", pattern, policy, pause=pause)
                   for number, (pattern, policy, pause) in enumerate(READERS)]
        publishers = [self.publisher(f"pub-{number}", BYTES, *STREAMS)
                      for number in range(PUBLISHERS)]
        publishers.append(self.publisher("pub-large", LARGE_BYTES, *LARGE))
        everybody = [witness.name for witness in readers + publishers]
        wanted, began, tries = max(10, campaign_count(MOVES)), time.monotonic(), 0
        while self.moves() < wanted:
            tries += 1
            self.assertLess(tries, 10 * wanted + 100, f"{self.moves()} moves")
            self.move_one(node, everybody, shards)
            time.sleep(self.random.uniform(0, 0.02))
        took = time.monotonic() - began
        for publisher in publishers:
            for stream in range(len(STREAMS if publisher.name != "pub-large" else LARGE)):
                publisher.set_rate(0, stream)
        for reader in readers:
            reader.set_pause(0)
        for publisher in publishers:
            self.assertEqual(publisher.report()["pending"], 0, publisher.name)
        self.wait_until(lambda: not any(row["queued"] + row["in flight"] for row in
                                        self.node_counters().get(counter_file.PAIR, [])),
                        PATIENCE, "all is settled")
        moves, handled = self.moves(), self.judge(publishers, readers)
        process = self.node_counters()[counter_file.PROCESS][0]
        for label in ("links broken", "frames rejected", "strikes given", "sessions closed"):
            self.assertEqual(process[label], 0, label)
        said = self.audit()
        self.assertEqual((said["quiet"], said["under_way"], said["unknown"]), (True, 0, 0))
        print(f"{moves} moves in {took:.0f} s, {handled:,} messages handled meanwhile", flush=True)
        node.stdin.close()
        node.wait(PATIENCE)

    def judge(self, publishers, readers):
        """What each reader handled of each stream; answers how many in all."""
        handled = 0
        for (pattern, policy, _), reader in zip(READERS, readers):
            runs = oracle.runs_of(reader.path)
            handled += sum(last - first + 1 for of in runs.values() for first, last in of)
            if policy != "lossless":
                self.assertEqual(oracle.faults_of_order(reader.path), [], reader.name)
                continue
            for publisher in publishers:
                topics = STREAMS if publisher.name != "pub-large" else LARGE
                for stream, last in oracle.sent_of(publisher.path).items():
                    matches = topics[stream & 0xff].split("@")[0].split("/")[0] == pattern
                    self.assertEqual(runs.get(stream, []), [(1, last)] if matches else [],
                                     f"{reader.name}, stream {stream:#x} of {publisher.name}")
        return handled


if __name__ == "__main__":
    unittest.main(verbosity=2)
