"""Links that lose frames: each gap is seen, and what was lost is sent again."""

import os
import time
import unittest

import counter_file
import oracle
from bus_case import PATIENCE, campaign_count, test_agent
from witness_case import WitnessCase

ONE_IN = 100_000
LOSSES = 10
RATE = 4000
READERS = 3


class FrameLoss(WitnessCase):
    def losses(self):
        try:
            with open(self.loss_file, encoding="ascii") as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def reconnects(self):
        return sum(row["reconnects"] for row in self.node_counters()[counter_file.AGENT])

    def test_campaign_of_frames_that_are_lost(self):
        self.assertEqual(self.abuzz("node", "start").returncode, 0)
        self.loss_file = os.path.join(self.base, "losses")
        one_in = max(500, campaign_count(ONE_IN))
        self.witness_env = {"LD_PRELOAD": test_agent("liblossy_link.so"),
                            "ABUZZ_TEST_LOSS_ONE_IN": str(one_in),
                            "ABUZZ_TEST_LOSS_FILE": self.loss_file}
        readers = [self.subscriber(f"reader-{index}", "lost.>") for index in range(READERS)]
        shops = [self.publisher(f"shop-{index}", 200, f"lost.{index}@{RATE}",
                                f"lost.{index}/high@{RATE // 10}", f"lost.{index}.all@{RATE}")
                 for index in range(2)]
        wanted = max(3, campaign_count(LOSSES))
        while len(set(self.losses())) < 2 or len(self.losses()) < wanted:
            time.sleep(0.05)
        lost = self.losses()
        # Each is a gap in the numbers of a link, for which the link is made anew.
        self.wait_until(lambda: self.reconnects() >= len(lost), PATIENCE, "each gap is seen")
        again = self.reconnects()
        self.judge(shops, readers)
        print(f"one frame in {one_in:,} lost: {lost.count('up')} up, {lost.count('down')} down; "
              f"links made anew {again} times", flush=True)

    def judge(self, shops, readers):
        for shop in shops:
            for stream in range(3):
                shop.set_rate(0, stream)
        sent = {}
        for shop in shops:
            report = shop.report()
            of_shop = oracle.sent_of(shop.path)
            self.assertEqual((report["delivered"], report["pending"], report["unknown"]),
                             (sum(of_shop.values()), 0, 0))
            sent.update(of_shop)
        total = sum(sent.values())
        for reader in readers:
            self.wait_until(lambda reader=reader: reader.count() >= total, PATIENCE, reader.name)
            self.assert_saw_all(reader, sent)
        said = self.audit()
        self.assertEqual((said["quiet"], said["unknown"], said["under_way"]), (True, 0, 0))
        self.assertEqual(sum(topic["delivered"] for topic in said["topics"]), READERS * total)
        for reader in readers:
            report = self.finish_witness(reader)
            self.assertEqual((report["gaps"], report["strange"]), (0, 0))


if __name__ == "__main__":
    unittest.main(verbosity=2)
