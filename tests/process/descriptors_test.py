"""A node that may open 64 files, and hundreds of strangers: it turns them away and lives on."""

import os
import random
import unittest

from bus_case import HTTP, PATIENCE, BusCase, call, limit_descriptors

# As many as a node with this limit would have to open for its strangers, and then some.
SCAN = 60
IDLE = 300


class FewDescriptors(BusCase):
    def setUp(self):
        super().setUp()
        done = self.abuzz("node", "start", before=limit_descriptors(64))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.keeper = self.subscribe("keep.alive", "--name", "keeper", "--raw")
        self.pid = self.node()["pid"]
        self.callers = []

    def tearDown(self):
        for caller in self.callers:
            caller.close()
        node = self.node()
        alive = self.keeper.poll() is None
        super().tearDown()
        self.assertTrue(node and node["pid"] == self.pid, "the node did not live on")
        self.assertTrue(alive, "an agent was hurt")

    def scan(self, path, count):
        fresh = [caller for caller in (call(path) for _ in range(count)) if caller]
        self.callers += fresh
        return fresh

    def assert_goes_on(self):
        """The agent that is there is served also now; newcomers are, when the strangers left."""
        self.assertEqual(self.node()["pid"], self.pid)
        for caller in self.callers:
            caller.close()
        self.callers = []
        self.assert_bus_works()
        self.assertEqual(self.abuzz("pub", "keep.alive", "x").returncode, 0)

    def test_a_scan_of_every_socket(self):
        self.assertEqual(len(self.sockets()), 2)
        for path in self.sockets():
            self.scan(path, SCAN)
        self.assert_goes_on()

    def test_idle_connections_to_every_socket(self):
        for path in self.sockets():
            self.scan(path, IDLE)
        self.assert_goes_on()

    def test_http_and_noise_from_many_at_once(self):
        seed = int(os.environ.get("ABUZZ_SEED", random.randrange(1 << 32)))
        print(f"seed {seed}", flush=True)
        dice = random.Random(seed)
        for path in self.sockets():
            for caller in self.scan(path, SCAN):
                try:
                    caller.sendall(dice.choice((HTTP, dice.randbytes(dice.randrange(1, 4000)))))
                except OSError:
                    pass  # hung up on already
        self.assert_goes_on()

    def test_a_storm_of_short_calls(self):
        for path in self.sockets():
            for _ in range(20):
                for caller in self.scan(path, SCAN):
                    caller.close()
                self.callers = []
        self.assert_goes_on()

    def test_newcomers_among_strangers_are_served_or_told_why_not(self):
        for path in self.sockets():
            self.scan(path, SCAN)
        done = self.abuzz("pub", "keep.alive", "x", "--timeout", "1s",
                          env={"ABUZZ_AGENT__CONNECT_TIMEOUT": f"{PATIENCE}s"})
        if done.returncode != 0:
            self.assertTrue(done.stderr.startswith("ABZ-"), done.stderr)
        self.assert_goes_on()


if __name__ == "__main__":
    unittest.main(verbosity=2)
