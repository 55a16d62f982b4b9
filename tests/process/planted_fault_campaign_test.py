"""A node whose switch discards or doubles a batch now and then, uncounted: `audit` finds it.

The fault is in a library that is built for this test only (planted_fault.cpp).
"""

import os
import time
import unittest

import oracle
from bus_case import campaign_count, test_agent
from witness_case import WitnessCase

ONE_IN = 100_000
FAULTS = 3
READERS = 3
RATE = 2500  # so that there are many batches


class PlantedFault(WitnessCase):
    def run_fault(self, kind):
        fault_file = os.path.join(self.base, "faults")
        one_in = max(1000, campaign_count(ONE_IN))
        started = self.abuzz("node", "start", env={
            "LD_PRELOAD": test_agent("planted/libabuzz.so.0"), "ABUZZ_TEST_FAULT": kind,
            "ABUZZ_TEST_FAULT_ONE_IN": str(one_in), "ABUZZ_TEST_FAULT_FILE": fault_file})
        self.assertEqual(started.returncode, 0, started.stderr)
        readers = [self.subscriber(f"reader-{index}", "work.*") for index in range(READERS)]
        topics = [f"work.{letter}" for letter in "abcd"]
        shop = self.publisher("shop", 64, *(f"{topic}@{RATE}" for topic in topics))
        self.assertEqual(self.abuzz("audit", "--wait", "200ms").returncode, 0)

        def count_faults():
            if not os.path.exists(fault_file):
                return 0
            with open(fault_file, encoding="ascii") as file:
                return len(file.readlines())

        while count_faults() < FAULTS:
            time.sleep(0.05)
        for stream in range(len(topics)):
            shop.set_rate(0, stream)
        shop.report()
        faults = count_faults()
        said = self.audit(code=6)
        self.assertFalse(said["balanced"])
        places = [imbalance["where"] for imbalance in said["imbalances"]]
        self.assertTrue(any(" of shop to work.* of reader-" in place for place in places), places)
        self.assertEqual(self.abuzz("audit").returncode, 6)
        seen = [run for reader in readers for run in oracle.runs_of(reader.path).values()]
        gaps = sum(len(oracle.faults(runs)) for runs in seen)
        print(f"{kind}: {faults} batches of one in {one_in:,}; {gaps} gaps seen by subscribers; "
              f"audit: {said['verdict']}, such as {said['imbalances'][0]}", flush=True)
        return faults, gaps

    def test_campaign_of_batches_that_are_discarded(self):
        faults, gaps = self.run_fault("discard")
        # One that was the last of its stream leaves no gap.
        self.assertGreaterEqual(gaps + 1, faults)

    def test_campaign_of_batches_that_are_doubled(self):
        # The subscriber recognises what it had before; the ledger does not overlook it.
        self.assertEqual(self.run_fault("double")[1], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
