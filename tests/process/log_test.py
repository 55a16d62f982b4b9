"""What a node says about those it serves: on stderr, or in node.log when nobody watches it."""

import os
import re
import signal
import time
import unittest

from bus_case import PATIENCE, BusCase, call

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (error|warn|info|debug) ([ -~]+)$")
LINES_PER_SECOND = 10


class Logs(BusCase):
    def door(self):
        return os.path.join(self.runtime, "door")

    def disturb(self, times):
        """Calls at the door that are refused; answers how many seconds they took."""
        began = time.monotonic()
        for _ in range(times):
            with call(self.door()) as caller:
                caller.sendall(b"\x1b[2J\nready\n" * 5)
                caller.recv(4096)
        return time.monotonic() - began

    def node_log(self):
        with open(os.path.join(self.runtime, "node.log"), encoding="ascii") as file:
            return file.read()

    def test_refused_and_gone_agents_are_told_on_stderr(self):
        node = self.start("node", "run")
        while not node.stderr.readline().startswith(b"node ready"):
            pass
        victim = self.subscribe("a", "--name", "victim")
        self.abuzz("sub", "a", "--name", "victim", "--timeout", "1s")
        self.assertEqual(self.abuzz("pub", "a", "x").returncode, 0)
        victim.kill()
        victim.wait()
        self.wait_until(lambda: not self.agent_names(), PATIENCE, "it is gone")
        self.disturb(1)
        node.send_signal(signal.SIGTERM)
        _, _, err = self.finish(node)
        said = [LINE.match(line) for line in err.splitlines()[:-1]]
        self.assertTrue(all(said), err)
        lines = [line[2] for line in said]
        self.assertEqual(len(lines), 3, err)
        self.assertIn("ABZ-0502 another agent of this node has the name: victim", lines[0])
        self.assertEqual(lines[1], f"agent victim (process {victim.pid}) is gone: "
                                   "it ended without a goodbye")
        self.assertRegex(lines[2], f"^refused process {os.getpid()}: ABZ-1201 ")

    def test_a_flood_of_callers_is_ten_lines_a_second_and_a_number(self):
        self.assertEqual(self.abuzz("node", "start").returncode, 0)
        count = 2000
        seconds = self.disturb(count)
        self.wait_until(lambda: "left out" in self.node_log(), PATIENCE, "the number is told")
        time.sleep(1)  # the last second's number
        lines = [LINE.match(line)[2] for line in self.node_log().splitlines()]
        refused = [line for line in lines if line.startswith("refused")]
        numbers = [int(line.split()[0]) for line in lines if "left out" in line]
        self.assertLessEqual(len(lines), LINES_PER_SECOND * (seconds + 2))
        self.assertEqual(len(refused) + sum(numbers), count)

    def test_the_log_begins_anew_when_it_has_grown_also_while_the_node_runs(self):
        self.assertEqual(self.abuzz("node", "start").returncode, 0)
        path = os.path.join(self.runtime, "node.log")
        with open(path, "a") as file:
            file.write("x" * (1 << 20) + "\n")
        self.disturb(1)
        self.wait_until(lambda: os.path.exists(path + ".1"), PATIENCE, "it was put aside")
        self.wait_until(lambda: "refused process" in self.node_log(), PATIENCE, "it goes on")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_the_level_and_no_lines_at_all_can_be_asked_for(self):
        for setting in ("log.level=error", "log.peer_lines_per_second=0"):
            node = self.start("node", "run", "--set", setting)
            while not node.stderr.readline().startswith(b"node ready"):
                pass
            self.disturb(20)
            node.send_signal(signal.SIGTERM)
            _, _, err = self.finish(node)
            self.assertTrue(err.startswith("node stopped"), err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
