"""When all is over, nothing is left: no process, no socket, no counters, no memory file."""

import os
import shutil
import signal
import unittest

from bus_case import SLOW, BusCase

# What the next node wants to find again.
KEPT = {"node.state", "node.lock", "start.lock", "node.log", "agents"}


class Leftovers(BusCase):
    def shared_memory(self):
        return {name for name in os.listdir("/dev/shm") if "abuzz" in name}

    def files(self):
        return {os.path.relpath(os.path.join(folder, name), self.runtime)
                for folder, _, names in os.walk(self.runtime) for name in names}

    def assert_clean(self):
        self.assertEqual(self.processes(), {})
        self.assertEqual(self.sockets(), [])
        self.assertLessEqual(self.files(), KEPT)

    def test_nothing_is_left_after_a_quiet_end(self):
        before = self.shared_memory()
        reader = self.subscribe("a", "--raw", "--count", "100")
        self.assertEqual(self.abuzz("pub", "a", "x", "--count", "100").returncode, 0)
        self.assertEqual(self.finish(reader)[0], 0)
        self.assertEqual(self.abuzz("node", "stop").returncode, 0)
        self.assert_clean()
        self.assertEqual(self.shared_memory(), before)

    def test_the_files_of_killed_agents_are_cleared(self):
        readers = [self.subscribe("a") for _ in range(5)]
        for reader in readers:
            reader.kill()
            reader.wait()
        self.wait_until(lambda: not self.ls()["agents"], 2 * SLOW, "all agents are gone")
        self.wait_until(lambda: not os.listdir(self.runtime + "/agents"), 5 * SLOW, "swept")
        self.assertEqual(self.abuzz("node", "stop").returncode, 0)
        self.assert_clean()

    def test_the_files_of_a_killed_node_are_cleared_by_the_next(self):
        self.abuzz("pub", "a", "x")
        os.kill(self.node()["pid"], signal.SIGKILL)
        self.wait_until(lambda: not self.processes(), 2 * SLOW, "it is dead")
        self.assert_bus_works()
        self.assertEqual(self.abuzz("node", "stop").returncode, 0)
        self.assert_clean()

    def test_a_node_whose_directory_was_removed_leaves_when_it_is_idle(self):
        self.env["ABUZZ_NODE__IDLE_EXIT"] = "1s"
        self.abuzz("pub", "a", "x")
        shutil.rmtree(self.runtime)
        self.wait_until(lambda: not self.processes(), 4 * SLOW, "it has left")

    def test_the_runtime_directory_is_private(self):
        self.abuzz("pub", "a", "x")
        self.assertEqual(os.stat(self.runtime).st_mode & 0o777, 0o700)
        for name in ("node.state", "node.log", "node.counters"):
            path = os.path.join(self.runtime, name)
            if os.path.exists(path):
                self.assertEqual(os.stat(path).st_mode & 0o077, 0, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
