"""On one processor, in a cpuset of one, and with half of one: the bus starts, says what it decided,
and all that is promised of delivery holds."""

import os
import subprocess
import time
import unittest

from narrow_case import NarrowCase

TESTS = os.path.dirname(os.environ.get("ABUZZ_TEST_AGENTS", "."))
# Delivery, from the switch alone to real agents on real sockets. Campaigns are not in here.
PROGRAMS = {
    "delivery_test": "*",
    "client_test": "*",
    "model_test": "Simulation.*:LanesModel.*:WorkersModel.*-*Campaign*",
    "api_test": "Api.*",
}
SECONDS = 250


class Narrow(NarrowCase):
    def assert_delivers(self, before):
        for program, tests in PROGRAMS.items():
            path = os.path.join(TESTS, program)
            if not os.path.exists(path):
                self.skipTest(f"{program} is not built")
            began = time.monotonic()
            done = subprocess.run([path, f"--gtest_filter={tests}", "--gtest_brief=1"],
                                  env=self.env, text=True, capture_output=True, check=False,
                                  timeout=SECONDS, preexec_fn=before)
            print(f"{program}: {time.monotonic() - began:.0f} s", flush=True)
            self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr[-2000:])

    def assert_decides(self, before, *words):
        """A node that is started so says why its threads are where they are."""
        done = self.abuzz("node", "start", before=before)
        self.assertEqual(done.returncode, 0, done.stderr)
        status = self.abuzz("node", "status", before=before).stdout
        plan = self.abuzz("topo", "--plan", before=before).stdout
        for word in words:
            self.assertIn(word, status + plan)
        self.assertRegex(status, r"threads .*shard 0 on ")
        self.assertIn("not pinned: ", status)
        self.assertEqual(self.abuzz("node", "stop").returncode, 0)

    def test_a_mask_of_one_processor(self):
        before = self.mask_of_one()
        self.assert_decides(before, "with 1 core the kernel needs all its freedom")
        self.assert_delivers(before)

    def test_a_cpuset_of_one_processor(self):
        before = self.cpuset_of_one()
        self.assert_decides(before, "with 1 core the kernel needs all its freedom")
        self.assert_delivers(before)

    def test_a_quota_of_half_a_processor(self):
        before = self.quota_of_half()
        self.assert_decides(before, "a quota of 0.5 on ")
        self.assert_delivers(before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
