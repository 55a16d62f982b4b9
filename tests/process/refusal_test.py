"""A node that cannot let anybody in says why, and who asked does not wait until his deadline."""

import time
import unittest

from bus_case import PATIENCE, SLOW, BusCase, limit_descriptors


class Refusal(BusCase):
    def test_a_node_without_descriptors_refuses_at_once(self):
        done = self.abuzz("node", "start", before=limit_descriptors(64))
        self.assertEqual(done.returncode, 0, done.stderr)
        # Each takes a few descriptors of the node; one of them meets the end.
        for number in range(40):
            started = time.monotonic()
            reader = self.start("sub", f"few.{number}", env={"ABUZZ_AGENT__CONNECT_TIMEOUT": "60s"})
            line = reader.stderr.readline().decode()
            if not line.startswith("subscribed "):
                break
        self.assertTrue(line.startswith("ABZ-0103 "), line)
        self.assertIn("limit is nearly reached", line)
        self.assertLess(time.monotonic() - started, 5 * SLOW)
        self.assertEqual(self.finish(reader, PATIENCE)[0], 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
