"""Nodes are killed while publishers ask for receipts: none of them is false.

The judges are what the subscribers wrote down of what they handled, and when.
"""

import time
import unittest

import oracle
from bus_case import PATIENCE, SLOW, campaign_count
from witness_case import WitnessCase

KILLS = 100
READERS = 3
PUBLISHERS = 2
# Every eighth message of these asks for a receipt.
STREAMS = ("kill.{0}@2000+8", "kill.{0}/high@200+8", "kill.{0}/bulk@1000+8")
OUTCOMES = ("pending", "delivered", "no_subscriber", "dropped", "unknown", "outside_window")
BACK_SECONDS = 2


class ReceiptKills(WitnessCase):
    def test_campaign_of_receipts_over_node_kills(self):
        readers = [self.subscriber(f"reader-{index}", "kill.>") for index in range(READERS)]
        shops = [self.publisher(f"shop-{index}", 100, *(s.format(index) for s in STREAMS))
                 for index in range(PUBLISHERS)]
        kills = max(3, campaign_count(KILLS))
        times = []
        for number in range(kills):
            time.sleep(0.3 + 0.05 * (number % 7))
            times.append(self.kill_node(READERS, READERS + PUBLISHERS))
        sent = self.come_to_rest(shops, readers)
        for reader in readers:
            self.assert_saw_all(reader, sent)
        counts = self.judge_receipts(shops, readers)
        said = self.audit()
        self.assertTrue(said["quiet"], said["verdict"])
        times.sort()
        told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        print(f"{kills} nodes killed, {sum(sent.values()):,} messages to {READERS} readers each; "
              f"receipts: {told}; all back after {times[kills // 2]:.2f} s (median), "
              f"{times[-1]:.2f} s (longest)", flush=True)
        self.assertLess(times[kills * 99 // 100 - 1], BACK_SECONDS * SLOW + 1)

    def come_to_rest(self, shops, readers):
        """Answers what was sent, by stream."""
        sent = {}
        for shop in shops:
            for stream in range(len(STREAMS)):
                shop.set_rate(0, stream)
        for shop in shops:
            self.assertEqual(shop.report()["pending"], 0, shop.name)
            sent.update(oracle.sent_of(shop.path))
        total = sum(sent.values())
        for reader in readers:
            self.wait_until(lambda reader=reader: reader.count() >= total, PATIENCE, reader.name)
        return sent

    def judge_receipts(self, shops, readers):
        intended = {}
        for shop in shops:
            intended.update(zip(*oracle.read(shop.path)))
        handled = [{identity: intended[identity] + late
                    for identity, late in zip(*oracle.read(reader.path))} for reader in readers]
        counts = dict.fromkeys(OUTCOMES, 0)
        for shop in shops:
            for identity, word in zip(*oracle.read(shop.path + ".receipts")):
                told_at, subscriptions, outcome = word >> 8, word >> 3 & 31, OUTCOMES[word & 7]
                counts[outcome] += 1
                what = f"{identity:#x} of {shop.name}: {outcome}"
                by_then = sum(times[identity] <= told_at for times in handled)
                if outcome == "delivered":
                    self.assertGreaterEqual(by_then, max(1, subscriptions), what)
                # Each subscriber got each message.
                self.assertIn(outcome, ("delivered", "unknown"), what)
        self.assertGreater(counts["delivered"], 0)
        return counts


if __name__ == "__main__":
    unittest.main(verbosity=2)
