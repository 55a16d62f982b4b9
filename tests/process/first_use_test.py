"""The node: it starts when it is needed, once, and leaves when it is not."""

import os
import signal
import unittest

from bus_case import PATIENCE, SLOW, BusCase


class FirstUse(BusCase):
    def test_a_hundred_at_once_start_one_node(self):
        publishers = [self.start("pub", f"first.use.{i}", "x") for i in range(100)]
        for publisher in publishers:
            code, _, err = self.finish(publisher, PATIENCE * 3)
            self.assertEqual(code, 9, err)
            self.assertTrue(err.startswith("ABZ-0901 "), err)
        self.assertEqual(len(self.node_processes()), 1)
        # The epoch counts the starts in this directory.
        self.assertEqual(self.node()["epoch"], 1)

    def test_an_empty_node_leaves_by_itself(self):
        self.abuzz("pub", "a", "x", env={"ABUZZ_NODE__IDLE_EXIT": "1s"})
        self.wait_until(lambda: not self.processes(), 5 * SLOW, "the node left")
        self.assertEqual(self.sockets(), [])
        self.assert_bus_works()

    def test_start_and_stop_may_be_repeated(self):
        first = self.abuzz("node", "start")
        self.assertEqual(first.returncode, 0, first.stderr)
        pid = self.node()["pid"]
        again = self.abuzz("node", "start")
        self.assertEqual(again.returncode, 0)
        self.assertIn(f"pid {pid}", again.stdout)
        self.assertEqual(self.node_processes(), [pid])
        self.assertEqual(self.abuzz("node", "stop").returncode, 0)
        self.assertEqual(self.processes(), {})
        self.assertEqual(self.abuzz("node", "stop").returncode, 0)
        self.assertEqual(self.abuzz("node", "status").returncode, 4)

    def test_a_runtime_directory_without_its_parent_is_named_and_not_made(self):
        missing = os.path.join(self.base, "user")
        done = self.abuzz("pub", "a", "x", env={"XDG_RUNTIME_DIR": missing})
        self.assert_fails(done, 1, "ABZ-0101")
        self.assertIn(f"{missing} does not exist", done.stderr)
        self.assertFalse(os.path.exists(missing))

    def test_ten_starts_at_once_start_one_node(self):
        starters = [self.start("node", "start") for _ in range(10)]
        for starter in starters:
            code, _, err = self.finish(starter)
            self.assertEqual(code, 0, err)
        self.assertEqual(len(self.node_processes()), 1)

    def test_a_second_node_is_refused(self):
        self.assertEqual(self.abuzz("node", "start").returncode, 0)
        self.assert_fails(self.abuzz("node", "run"), 1, "ABZ-0404")

    def test_a_started_node_holds_nothing_of_its_starter(self):
        done = self.abuzz("node", "start")
        self.assertEqual(done.returncode, 0, done.stderr)
        pid = self.node()["pid"]
        self.assertEqual(os.getsid(pid), pid)
        self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")
        self.assertEqual(os.readlink(f"/proc/{pid}/fd/0"), "/dev/null")
        for descriptor in (1, 2):
            target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
            self.assertEqual(target, self.runtime + "/node.log")

    def test_agents_wait_for_a_managed_node(self):
        config = os.path.join(self.base, "abuzz.toml")
        self.assertEqual(self.abuzz("config", "init", config).returncode, 0)
        node = self.start("node", "run", "--config", config)
        self.wait_until(self.node, PATIENCE, "the node answers")
        self.assert_bus_works()
        node.kill()
        node.wait()
        done = self.abuzz("pub", "a", "x", env={"ABUZZ_AGENT__CONNECT_TIMEOUT": "500ms"})
        self.assert_fails(done, 4, "ABZ-0401")
        self.assertEqual(self.node_processes(), [])
        waiting = self.start("pub", "a", "x")
        self.start("node", "run", "--config", config)
        code, _, err = self.finish(waiting)
        self.assertEqual(code, 9, err)

    def test_config_flags_reach_the_node_that_is_started(self):
        place = os.path.join(self.base, "elsewhere")
        done = self.abuzz("--set", f"node.runtime_directory={place}", "pub", "a", "x")
        self.assertEqual(done.returncode, 9, done.stderr)
        self.assertTrue(os.path.exists(place + "/door"))
        self.assertFalse(os.path.exists(self.runtime))
        done = self.abuzz("node", "stop", "--set", f"node.runtime_directory={place}")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_missing_program_is_told(self):
        done = self.abuzz("pub", "a", "x", env={"ABUZZ_NODE_BIN": "/nonexistent"})
        self.assert_fails(done, 4, "ABZ-0403")

    def test_drain_lets_nobody_in(self):
        reader = self.subscribe("a")  # without an agent the node would end at once
        self.assertEqual(self.abuzz("node", "drain").returncode, 0)
        self.wait_until(lambda: self.node()["state"] == "draining", 2 * SLOW, "the node drains")
        done = self.abuzz("pub", "a", "x", env={"ABUZZ_AGENT__CONNECT_TIMEOUT": "300ms"})
        self.assertNotEqual(done.returncode, 0)
        reader.kill()
        self.wait_until(lambda: self.node_processes() == [], PATIENCE, "the drained node ended")

    def test_a_node_in_the_foreground_ends_with_its_signal(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            node = self.start("node", "run")
            self.wait_until(self.node, PATIENCE, "the node answers")
            node.send_signal(number)
            code, _, err = self.finish(node, 2 * SLOW)
            self.assertEqual(code, 128 + number, err)
            self.assertIn("node stopped", err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
