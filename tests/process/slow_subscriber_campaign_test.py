"""Nine subscribers beside a tenth that is stopped, or a hundred times slower: they do not notice.

What the nine reach is compared with what they reach without the tenth, in turns. That needs time
and a machine to itself: shares of time are printed always, and judged only when a good part of the
campaign runs. Counts, bytes and the ledger are judged always.
"""

import os
import signal
import statistics
import time
import unittest

import counter_file
import oracle
from bus_case import PATIENCE, campaign_count, resident_bytes
from witness_case import WitnessCase

FAST = 9
KIB, MIB = 1 << 10, 1 << 20
POLICIES = ("latest:16", "drop_old", "drop_new")
HELD_BYTES_MAX = 8 * MIB
# What the nine take at one time and not at another, and pages that pools keep for a while.
RESIDENT_SLACK = 2 * MIB
RESIDENT_SLACK_OF_SHORT_TURNS = 10 * MIB
THROUGHPUT_SHARE_MIN = 0.95
TAIL_RATIO_MAX = 2
STALL_LIMIT = 1.0
FULL_PERCENT = 50  # from here on time is judged, too
TURNS = 6
TURN_SECONDS = 2


class SlowSubscriber(WitnessCase):
    def setUp(self):
        super().setUp()
        self.is_full = int(os.environ.get("ABUZZ_CAMPAIGN_PERCENT") or 1) >= FULL_PERCENT
        self.seconds = max(0.3, TURN_SECONDS * campaign_count(100) / 100)
        self.turns = max(1, campaign_count(TURNS))

    def start_bus(self, size):
        self.fast = [self.subscriber(f"fast-{index}", "work") for index in range(FAST)]
        self.shop = self.publisher("shop", size, "work@0")
        self.node_pid = self.node()["pid"]

    # -- turns --------------------------------------------------------------------------------

    def measure(self):
        """One turn: messages a second of the nine together, their records, memory of the node."""
        before = [reader.count() for reader in self.fast]
        began, memory = time.monotonic(), 0
        while time.monotonic() < began + self.seconds:
            time.sleep(0.05)
            memory = max(memory, resident_bytes(self.node_pid))
        took = time.monotonic() - began
        after = [reader.count() for reader in self.fast]
        rate = sum(after) - sum(before)
        return rate / took, list(zip(before, after)), memory

    def tails_of(self, windows):
        """p99 over all nine, of the records of these turns, in nanoseconds."""
        values = []
        for spans in windows:
            for reader, (first, end) in zip(self.fast, spans):
                values += oracle.read(reader.path, first, end)[1]
        return oracle.percentile(values, 99)

    def start_slow(self, policy, is_stopped, pause):
        slow = self.subscriber("slow", "work", policy, pause=0 if is_stopped else pause)
        if is_stopped:
            slow.process.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        return slow

    def end_slow(self, slow, is_stopped):
        """It comes to an end with everything settled; the node must hold no more than it may."""
        row = self.subscription_row(self.node_counters(), "slow")
        self.assertLessEqual(row["queued bytes"], HELD_BYTES_MAX)
        if is_stopped:
            slow.process.send_signal(signal.SIGCONT)
        slow.set_pause(0)
        report = self.finish_witness(slow)
        self.assertEqual(report["strange"], 0)
        self.assertEqual(oracle.faults_of_order(slow.path), [])
        return row["queued bytes"]

    def compare(self, policy, is_stopped, rate):
        """Turns without and with the slow one, while messages are published at `rate`."""
        self.shop.set_rate(rate)
        time.sleep(self.seconds / 2)
        alone, beside = [], []
        held = 0
        for _ in range(self.turns):
            alone.append(self.measure())
            each = statistics.median(turn[0] for turn in alone) / FAST
            slow = self.start_slow(policy, is_stopped, round(100 * 1e6 / max(each, 1)))
            beside.append(self.measure())
            held = max(held, self.end_slow(slow, is_stopped))
        self.assertTrue(all(turn[0] > 0 for turn in beside), "the nine stood still")
        growth = max(turn[2] for turn in beside) - max(turn[2] for turn in alone)
        # The others fill their queues to the bound, and what is in flight and rounding come on top.
        is_strict = self.is_full and policy.startswith("latest")
        slack = RESIDENT_SLACK if is_strict else RESIDENT_SLACK_OF_SHORT_TURNS
        self.assertLessEqual(growth, HELD_BYTES_MAX + slack)
        return alone, beside, held, growth

    def run_all(self, size):
        self.start_bus(size)
        for policy in POLICIES:
            for is_stopped in (True, False):
                self.run_policy(size, policy, is_stopped)
        self.judge()

    def test_campaign_of_small_messages(self):
        self.run_all(KIB)

    def test_campaign_of_large_messages(self):
        self.run_all(256 * KIB)

    def run_policy(self, size, policy, is_stopped):
        name = f"{size // KIB} KiB, {policy}, {'stopped' if is_stopped else 'at 1 % speed'}"
        alone, beside, held, growth = self.compare(policy, is_stopped, "max")
        rates = [statistics.median(turn[0] for turn in turns) / FAST for turns in (alone, beside)]
        shares = [b[0] / a[0] for a, b in zip(alone, beside)]
        share = statistics.median(shares)
        print(f"{name}: {rates[0]:,.0f} messages/s each without it, {rates[1]:,.0f} with it, "
              f"{100 * share:.1f} % of throughput in the median of {len(shares)} turns; "
              f"{held / MIB:.1f} MiB queued, {growth / MIB:+.1f} MiB resident", flush=True)
        alone, beside, held, growth = self.compare(policy, is_stopped, max(1, int(rates[0] / 2)))
        tails = [self.tails_of([turn[1] for turn in turns]) for turns in (alone, beside)]
        print(f"{name}, at half the rate: p99 {tails[0] / 1e6:.2f} ms without it, "
              f"{tails[1] / 1e6:.2f} ms with it; {growth / MIB:+.1f} MiB resident", flush=True)
        if self.is_full:
            self.assertGreaterEqual(share, THROUGHPUT_SHARE_MIN)
            self.assertLessEqual(tails[1], TAIL_RATIO_MAX * tails[0])

    # -- the end ------------------------------------------------------------------------------

    def judge(self, has_deaths=False):
        """The nine saw all, and the ledger says so to the last message."""
        self.shop.set_rate(0)
        report = self.shop.report()
        sent = oracle.sent_of(self.shop.path)
        total = sum(sent.values())
        self.assertEqual((report["delivered"], report["pending"], report["unknown"]),
                         (total, 0, 0))
        for reader in self.fast:
            self.wait_until(lambda reader=reader: reader.count() == total, PATIENCE, reader.name)
            self.assert_saw_all(reader, sent)
        said = self.audit()
        self.assertTrue(said["quiet"], said["verdict"])
        topic = next(topic for topic in said["topics"] if topic["topic"] == "work")
        handled = sum(oracle.count_of(os.path.join(self.base, name))
                      for name in os.listdir(self.base) if name.endswith(".sub"))
        unknown = said["unknown"]
        self.assertEqual(topic["published"], total)
        self.assertEqual(topic["matched"],
                         topic["delivered"] + sum(topic["dropped"].values()) + unknown)
        self.assertLessEqual(topic["delivered"], handled)
        self.assertGreaterEqual(topic["delivered"] + unknown, handled)
        if not has_deaths:
            self.assertEqual((topic["delivered"], unknown), (handled, 0))

    # -- lossless -----------------------------------------------------------------------------

    def test_campaign_of_stopped_lossless_ones_and_small_messages(self):
        self.run_lossless(KIB)

    def test_campaign_of_stopped_lossless_ones_and_large_messages(self):
        self.run_lossless(256 * KIB)

    def run_lossless(self, size):
        """The others stand until it is declared gone, and go on."""
        stands = []
        self.start_bus(size)
        self.shop.set_rate("max")
        for turn in range(max(1, campaign_count(10))):
            slow = self.subscriber(f"slow-{turn}", "work", f"lossless:{int(STALL_LIMIT * 1000)}")
            self.wait_until(lambda slow=slow: slow.count() > 0, PATIENCE, "it takes part")
            slow.process.send_signal(signal.SIGSTOP)
            stands.append(self.longest_stand(slow))
            slow.process.kill()
            slow.process.wait()
            self.assert_saw_a_run(slow)
        print(f"{size // KIB} KiB: {len(stands)} stopped, lossless, stall limit {STALL_LIMIT} s; "
              f"the others stood for {statistics.median(stands):.2f} s (median), "
              f"{max(stands):.2f} s (longest)", flush=True)
        if self.is_full:
            self.assertLessEqual(max(stands), STALL_LIMIT + 1)
        self.judge(has_deaths=True)

    def longest_stand(self, slow):
        """Looks at the nine until the slow one is gone and they have gone on for a while."""
        seen, moved = self.fast[0].count(), time.monotonic()
        longest, gone_at = 0.0, None
        end = moved + PATIENCE
        while gone_at is None or seen <= gone_at:
            time.sleep(0.01)
            self.assertLess(time.monotonic(), end, "they do not go on")
            count = self.fast[0].count()
            if count > seen:
                longest = max(longest, time.monotonic() - moved)
                seen, moved = count, time.monotonic()
            if gone_at is None and slow.name not in self.subscribers():
                gone_at = seen
        return longest

    def subscribers(self):
        rows = self.node_counters()
        names = {row.ids[0]: row.texts[0] for row in rows[counter_file.AGENT]}
        return [names.get(row.ids[0]) for row in rows[counter_file.SUBSCRIPTION]]

    def assert_saw_a_run(self, slow):
        for stream, runs in oracle.runs_of(slow.path).items():
            self.assertEqual(oracle.faults(runs), [], f"{slow.name}, stream {stream:#x}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
