"""Publishers, subscribers and workers of a group are killed under load, again and again, at any
moment.

The judges are what the programs wrote down themselves; `audit` must agree with them.
"""

import os
import random
import signal
import time
import unittest

import counter_file
import oracle
from bus_case import PATIENCE, campaign_count
from witness_case import WitnessCase

KILLS = 300
BUSY_SHARE_MIN = 0.9
BYTES = 100
# Streams of each publisher: an order of its own in each topic and lane.
STREAMS = ("kill.one@3000", "kill.one/high@1000", "kill.two/bulk@4000", "kill.job@1000")
PUBLISHERS = 3
# (pattern, policy, microseconds for each message): too slow for what comes, so that something
# always waits, with each of them and with the publishers.
READERS = (("kill.one", "lossless", 200), ("kill.two", "lossless", 200),
           ("kill.>", "drop_old", 400), ("kill.>", "latest:16", 400),
           *(("kill.job", "group:workers", 1500) for _ in range(3)))
AUDIT_EVERY = 25
WINDOW_MESSAGES = 16_384
# Subscribers that are stopped before they are killed.
STOPPED_SHARE = 0.2


class Life:
    """A witness with what is known of its life."""

    def __init__(self, witness, kind=None):
        self.witness, self.kind = witness, kind
        self.is_dead = False
        self.accepted = {}     # of a publisher, by stream: what the node had before it was killed
        self.at_ready = {}     # of a subscriber: publisher -> records in its file when it was ready
        self.later = set()     # of a subscriber: publishers that came after it was ready

    @property
    def is_lossless(self):
        return self.kind[1] == "lossless"

    @property
    def is_worker(self):
        return self.kind[1].startswith("group:")

    def takes(self, stream):
        """Whether a subscriber's pattern matches the topic of this stream."""
        topic = STREAMS[stream & 0xff].split("@")[0].split("/")[0]
        return self.kind[0] in (topic, "kill.>")


class Kills(WitnessCase):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("ABUZZ_TEST_SEED") or random.randrange(1 << 32))
        print(f"ABUZZ_TEST_SEED={seed}", flush=True)
        self.random = random.Random(seed)
        self.publishers, self.readers = [], []
        self.names = 0
        self.unknown_most = 0

    # -- births and deaths --------------------------------------------------------------------

    def add_publisher(self):
        self.names += 1
        life = Life(self.publisher(f"pub-{self.names}", BYTES, *STREAMS))
        for reader in self.readers:
            if not reader.is_dead:
                reader.later.add(life)
        self.publishers.append(life)

    def add_reader(self, kind):
        self.names += 1
        pattern, policy, pause = kind
        life = Life(self.subscriber(f"sub-{self.names}", pattern, policy, pause=pause), kind)
        for publisher in self.publishers:
            if not publisher.is_dead:
                life.at_ready[publisher] = publisher.witness.count()
        self.readers.append(life)

    def living(self, lives):
        return [life for life in lives if not life.is_dead]

    def agent_id(self, rows, life):
        return next((row.ids[0] for row in rows[counter_file.AGENT]
                     if row.texts[0] == life.witness.name), None)

    def look_at_publisher(self, life):
        """Its messages that are not settled; notes what the node has of each stream."""
        rows = self.node_counters()
        mine = self.agent_counters(life.witness)
        agent = self.agent_id(rows, life)
        publications = [row for row in rows[counter_file.PUBLICATION] if row.ids[0] == agent]
        indices = {row.index for row in publications}
        # Numbers of publishers are given in the order in which they are made, from 1.
        life.accepted = {(life.witness.writer << 8) + row.ids[1] - 1: row["accepted by the node"]
                         for row in publications}
        pushed = sum(row["published"] for row in mine[counter_file.PUBLICATION])
        waiting = sum(row["queued"] + row["in flight"] for row in rows[counter_file.PAIR]
                      if row.ids[0] in indices)
        return waiting + pushed - sum(life.accepted.values())

    def look_at_reader(self, life):
        """Its messages that are not settled, and those of them that were sent to it."""
        rows = self.node_counters()
        row = self.subscription_row(rows, life.witness.name)
        if life.is_worker:
            return row["leased"], row["leased"]
        index = row.index
        pairs = [row for row in rows[counter_file.PAIR] if row.ids[1] == index]
        in_flight = sum(row["in flight"] for row in pairs)
        return in_flight + sum(row["queued"] for row in pairs), in_flight

    def stop_reader(self, life):
        """From here on it settles nothing; answers what is in flight once nothing more is sent."""
        life.witness.process.send_signal(signal.SIGSTOP)
        before, now = None, self.look_at_reader(life)[1]
        while before != now:
            time.sleep(0.05)
            before, now = now, self.look_at_reader(life)[1]
        return now

    def kill(self, life):
        life.witness.process.kill()
        life.witness.process.wait()
        life.is_dead = True

    def kill_one(self):
        """Answers whether something of the victim's was not settled just before."""
        victim = self.random.choice(self.living(self.publishers) + self.living(self.readers))
        if victim.kind is None:
            unsettled = self.look_at_publisher(victim)
            self.kill(victim)
            self.add_publisher()
            return unsettled > 0
        # Of one that runs it is not known to the message how many are in flight when it dies.
        in_flight = WINDOW_MESSAGES
        if not victim.is_worker and self.random.random() < STOPPED_SHARE:
            in_flight = self.stop_reader(victim)
        unsettled = self.look_at_reader(victim)[0]
        self.kill(victim)
        if not victim.is_worker:
            self.judge_departed(victim, in_flight)
        self.add_reader(victim.kind)
        return unsettled > 0

    # -- the campaign -------------------------------------------------------------------------

    def test_campaign_of_kills(self):
        for kind in READERS:
            self.add_reader(kind)
        for _ in range(PUBLISHERS):
            self.add_publisher()
        kills, busy = max(5, campaign_count(KILLS)), 0
        for number in range(1, kills + 1):
            time.sleep(self.random.uniform(0.05, 0.4))
            busy += self.kill_one()
            if number % AUDIT_EVERY == 0:
                done = self.abuzz("audit", "--wait", "500ms")
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.come_to_rest()
        handled = self.judge_readers()
        handled["workers"] = self.judge_workers()
        self.judge_audit(handled)
        print(f"{kills} killed, {busy} ({100 * busy / kills:.0f} %) of them with something not "
              f"settled; {sum(handled.values()):,} messages handled; at most "
              f"{self.unknown_most:,} unknown at a death", flush=True)
        self.assertGreaterEqual(busy, BUSY_SHARE_MIN * kills)

    def come_to_rest(self):
        for life in self.living(self.publishers):
            for stream in range(len(STREAMS)):
                life.witness.set_rate(0, stream)
        for life in self.living(self.readers):
            life.witness.set_pause(0)
        for life in self.living(self.publishers):
            self.assertEqual(life.witness.report()["pending"], 0, life.witness.name)

        def is_settled():
            return not any(row["queued"] + row["in flight"]
                           for row in self.node_counters().get(counter_file.PAIR, []))

        self.wait_until(is_settled, PATIENCE, "all is settled")

    # -- judgement ----------------------------------------------------------------------------

    def departed(self, name):
        rows = self.node_counters().get(counter_file.DEPARTED, [])
        return next((row for row in rows if row.texts[1] == name), None)

    def judge_departed(self, reader, in_flight):
        """What the ledger says of the dead is what they wrote down, but for what was in flight."""
        row = self.wait_until(lambda: self.departed(reader.witness.name), PATIENCE,
                              f"{reader.witness.name} is known to be gone")
        handled = reader.witness.count()
        self.assertLessEqual(row["delivered"], handled)
        self.assertGreaterEqual(row["delivered"] + row["unknown"], handled)
        self.assertLessEqual(row["unknown"], in_flight)
        self.unknown_most = max(self.unknown_most, row["unknown"])

    def judge_readers(self):
        """Each reader against each publisher; answers how many each reader handled."""
        sent = {life: oracle.sent_of(life.witness.path) for life in self.publishers}
        handled = {}
        for reader in self.readers:
            if reader.is_worker:
                continue
            runs = oracle.runs_of(reader.witness.path)
            handled[reader] = sum(last - first + 1 for of in runs.values() for first, last in of)
            self.assertEqual(handled[reader], reader.witness.count())
            for publisher in self.publishers:
                for stream, last_sent in sent[publisher].items():
                    self.judge_pair(reader, publisher, stream, last_sent, runs.get(stream, []))
        return handled

    def judge_pair(self, reader, publisher, stream, last_sent, runs):
        if not reader.takes(stream):
            self.assertEqual(runs, [])
            return
        what = f"{reader.witness.name}, stream {stream:#x} of {publisher.witness.name}"
        if not reader.is_lossless:
            self.assertTrue(all(a[1] < b[0] for a, b in zip(runs, runs[1:])), f"{what}: {runs}")
            return
        self.assertEqual(oracle.faults(runs), [], what)
        # What it must have seen: from when it was there, to what the node had for certain.
        if publisher in reader.later:
            first_due = 1
        elif publisher in reader.at_ready:
            first_due = 1 + self.sent_before(publisher, reader.at_ready[publisher], stream)
        else:
            self.assertEqual(runs, [], f"{what}: it was dead before")
            return
        last_due = 0
        if not reader.is_dead:
            last_due = publisher.accepted.get(stream, 0) if publisher.is_dead else last_sent
        if runs:
            self.assertLessEqual(runs[0][0], first_due, f"{what}: the first were lost")
            self.assertLessEqual(runs[0][1], last_sent, f"{what}: it was never sent")
            self.assertGreaterEqual(runs[0][1], last_due, f"{what}: the last were lost")
        else:
            self.assertLess(last_due, first_due, f"{what}: all were lost")

    def judge_workers(self):
        """Each message that a worker had is acknowledged once, or was given to another one after
        its holder had died; answers how many were acknowledged."""
        tries, acked = {}, {}
        for worker in self.readers:
            if not worker.is_worker:
                continue
            for records, path in ((tries, worker.witness.path),
                                  (acked, worker.witness.path + ".acked")):
                for identity, attempt in zip(*oracle.read(path)):
                    records.setdefault(identity, []).append((attempt, worker))
        for identity, of_message in tries.items():
            of_message.sort(key=lambda one: one[0])
            what = f"{identity:#x}: {[(a, w.witness.name, w.is_dead) for a, w in of_message]}"
            attempts = [attempt for attempt, _ in of_message]
            self.assertEqual(len(set(attempts)), len(attempts), what)
            self.assertTrue(all(worker.is_dead for _, worker in of_message[:-1]), what)
            by_living = [one for one in acked.get(identity, []) if not one[1].is_dead]
            self.assertLessEqual(len(by_living), 1, what)
        for publisher in self.publishers:
            stream = (publisher.witness.writer << 8) + len(STREAMS) - 1
            due = publisher.accepted.get(stream, 0) if publisher.is_dead else oracle.sent_of(
                publisher.witness.path).get(stream, 0)
            base = stream << oracle.NUMBER_BITS
            missing = [n for n in range(1, due + 1) if base + n not in acked]
            self.assertEqual(missing, [], f"of {publisher.witness.name}: never acknowledged")
        again = sum(len(of_message) > 1 for of_message in tries.values())
        print(f"{len(acked):,} messages acknowledged by workers, {again:,} given out again",
              flush=True)
        return len(acked)

    def sent_before(self, publisher, records, stream):
        """The number of the stream's last message among the first `records`."""
        ids, _ = oracle.read(publisher.witness.path, max(0, records - 200_000), records)
        return max((one & oracle.NUMBER_MASK for one in ids if oracle.stream_of(one) == stream),
                   default=0)

    def judge_audit(self, handled):
        said = self.audit()
        self.assertEqual((said["quiet"], said["under_way"]), (True, 0), said["verdict"])
        matched = delivered = dropped = 0
        for topic in said["topics"]:
            matched += topic["matched"]
            delivered += topic["delivered"]
            dropped += sum(topic["dropped"].values())
        total = sum(handled.values())
        self.assertEqual(matched, delivered + dropped + said["unknown"])
        self.assertLessEqual(delivered, total)
        self.assertGreaterEqual(delivered + said["unknown"], total)


if __name__ == "__main__":
    unittest.main(verbosity=2)
