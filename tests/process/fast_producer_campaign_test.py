"""A publisher that could go a hundred times faster than its lossless subscriber: it waits, nothing
is lost, nobody grows, and what it publishes elsewhere does not wait with it."""

import os
import time
import unittest

import oracle
from bus_case import PATIENCE, campaign_count, resident_bytes
from witness_case import WitnessCase

MESSAGES = 10_000_000
TIMES_SLOWER = 100
BYTES = 64
GROWTH_BYTES = 2 << 20
OTHER_RATE = 1000
TRIAL_SECONDS = 0.5
SAMPLE = 0.1


class FastProducer(WitnessCase):
    def test_campaign_of_a_fast_producer(self):
        messages = campaign_count(MESSAGES)
        # Alone, to learn how fast it is: what nobody reads costs a publisher least.
        trial = self.publisher("trial", BYTES, "nobody@max")
        time.sleep(TRIAL_SECONDS)
        count, began = trial.count(), time.monotonic()
        time.sleep(TRIAL_SECONDS)
        speed = (trial.count() - count) / (time.monotonic() - began)
        self.finish_witness(trial)
        pause = TIMES_SLOWER * 1e6 / speed
        slow = self.subscriber("slow", "much", pause=max(1, round(pause)))
        other = self.subscriber("other", "little")
        shop = self.publisher("shop", BYTES, "much@max", f"little@{OTHER_RATE}")
        pids = {"node": self.node()["pid"], "publisher": shop.pid, "subscriber": slow.pid}
        warm = {}
        most = dict.fromkeys(pids, 0)
        began, stood = time.monotonic(), 0.0
        seen, moved = 0, time.monotonic()
        while slow.count() < messages:
            time.sleep(SAMPLE)
            now = time.monotonic()
            if other.count() > seen:
                seen, moved = other.count(), now
            stood = max(stood, now - moved)
            # Once the queues are full.
            if not warm and now > began + 2:
                warm = {name: resident_bytes(pid) for name, pid in pids.items()}
            for name, pid in pids.items():
                most[name] = max(most[name], resident_bytes(pid)) if warm else 0
        took = time.monotonic() - began
        count = slow.count()
        self.assertGreater(seen, OTHER_RATE * took / 4, "the other topic was held")
        shop.set_rate(0)
        slow.set_pause(0)
        shop.set_rate(0, stream=1)
        report = shop.report()
        self.judge(shop, slow, other, report)
        print(f"{count:,} messages at {count / took:,.0f}/s to a subscriber that is "
              f"{speed * took / count:,.0f} times slower than its publisher ({speed:,.0f}/s); "
              f"{seen:,} of another topic meanwhile, never longer than {stood:.2f} s without one",
              flush=True)
        for name, size in warm.items():
            print(f"{name}: {size / (1 << 20):.1f} MiB, then at most "
                  f"{(most[name] - size) / (1 << 20):+.2f} MiB", flush=True)
            self.assertLess(most[name] - size, GROWTH_BYTES, name)

    def judge(self, shop, slow, other, report):
        sent = oracle.sent_of(shop.path)
        much, little = (shop.writer << 8), (shop.writer << 8) + 1
        for reader, stream in ((slow, much), (other, little)):
            total = sent[stream]
            self.wait_until(lambda: reader.count() == total, PATIENCE, f"{reader.name} has all")
            self.assert_saw_all(reader, {stream: total})
        self.assertEqual((report["delivered"], report["pending"], report["unknown"]),
                         (sum(sent.values()), 0, 0))
        said = self.audit()
        self.assertEqual((said["quiet"], said["unknown"]), (True, 0))
        delivered = {topic["topic"]: topic["delivered"] for topic in said["topics"]}
        self.assertEqual((delivered["much"], delivered["little"]), (sent[much], sent[little]))
        for reader in (slow, other):
            self.assertEqual(self.finish_witness(reader)["gaps"], 0)
            os.unlink(reader.path)


if __name__ == "__main__":
    unittest.main(verbosity=2)
