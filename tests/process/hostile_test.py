"""Strangers at every socket, and too few descriptors: a clear word, and the node lives on."""

import os
import random
import unittest

from bus_case import HTTP, PATIENCE, SLOW, BusCase, call, limit_descriptors


class Hostile(BusCase):
    def setUp(self):
        super().setUp()
        self.keeper = self.subscribe("keep.alive", "--name", "keeper", "--raw")
        self.pid = self.node()["pid"]

    def tearDown(self):
        node = self.node()
        alive = self.keeper.poll() is None
        super().tearDown()
        self.assertTrue(node and node["pid"] == self.pid, "the node did not live on")
        self.assertTrue(alive, "an agent was hurt")

    def say(self, bytes_to_say):
        paths = self.sockets()
        self.assertTrue(paths)
        for path in paths:
            with call(path) as caller:
                try:
                    caller.sendall(bytes_to_say)
                    caller.recv(4096)
                except OSError:
                    pass  # hung up on, or no answer: both are fine

    def test_http_at_every_socket(self):
        self.say(HTTP)
        self.assert_bus_works()

    def test_a_caller_that_says_nothing_and_leaves(self):
        for path in self.sockets():
            for _ in range(50):
                call(path).close()
        self.assert_bus_works()

    def test_random_bytes_at_every_socket(self):
        seed = int(os.environ.get("ABUZZ_SEED", random.randrange(1 << 32)))
        print(f"seed {seed}", flush=True)
        dice = random.Random(seed)
        for _ in range(30):
            self.say(dice.randbytes(dice.choice((1, 8, 63, 64, 65, 1000, 4096, 5000))))
        self.assert_bus_works()

    def test_a_zmq_greeting_and_then_nonsense(self):
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
        ready = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
        for nonsense in (b"", b"\x00\x10" + b"A" * 16, b"\x02" + b"\xff" * 8, b"\x01\x01x" * 1000,
                         b"\x02\x00\x00\x00\x00\x7f\xff\xff\xff" + b"x" * 4000):
            self.say(greeting + ready + nonsense)
        self.assert_bus_works()

    def test_three_hundred_idle_connections_to_every_socket(self):
        callers = [call(path) for path in self.sockets() for _ in range(300)]
        try:
            self.assert_bus_works()
            self.assertEqual(self.abuzz("pub", "keep.alive", "x").returncode, 0)
        finally:
            for caller in callers:
                if caller:
                    caller.close()
        self.assert_bus_works()

    def test_doctor_and_ls_see_no_stranger_as_an_agent(self):
        self.say(HTTP)
        self.assertEqual(self.agent_names(), ["keeper"])
        self.assertEqual(self.abuzz("doctor").returncode, 0)


class FewDescriptors(BusCase):
    def test_sixty_four_descriptors_are_enough_or_refused_clearly(self):
        few = limit_descriptors(64)
        done = self.abuzz("pub", "a", "x", before=few)
        self.assertIn(done.returncode, (1, 4, 9), done.stderr)
        self.assertTrue(done.stderr.startswith("ABZ-"), done.stderr)

    def test_a_node_with_sixty_four_descriptors_refuses_and_lives_on(self):
        few = limit_descriptors(64)
        done = self.abuzz("node", "start", before=few)
        if done.returncode != 0:
            self.assertTrue(done.stderr.startswith("ABZ-"), done.stderr)
            return
        pid = self.node()["pid"]
        agents = [self.start("sub", "a", "--timeout", f"{PATIENCE}s") for _ in range(30)]
        lines = [agent.stderr.readline().decode() for agent in agents]
        refused = [line for line in lines if not line.startswith("subscribed ")]
        # None of them is left without an answer, and the node is still the same one.
        self.assertTrue(all(line.startswith("ABZ-") for line in refused), refused)
        self.assertEqual(self.node()["pid"], pid)
        for agent in agents:
            agent.kill()
            agent.wait()
        self.wait_until(lambda: not self.agent_names(), 2 * SLOW, "all agents are gone")
        self.assert_bus_works()

    def test_a_dozen_descriptors_are_too_few_and_said_so(self):
        done = self.abuzz("pub", "a", "x", before=limit_descriptors(12))
        self.assertNotEqual(done.returncode, 0)
        self.assertTrue(done.stderr.startswith("ABZ-"), done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
