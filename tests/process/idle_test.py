"""What waits costs next to nothing: processor time and memory of an idle node and an idle agent."""

import os
import subprocess
import time
import unittest

from bus_case import PATIENCE, BusCase, resident_bytes, test_agent

MIB = 1 << 20
NODE_BYTES = 20 * MIB
AGENT_BYTES = 12 * MIB
CORE_SHARE = 0.01
WAKE_UPS = 20  # a second
MEMBERS = 100
SECONDS = 5
IS_FULL = int(os.environ.get("ABUZZ_CAMPAIGN_PERCENT") or 1) >= 100


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def switches(pid):
    """Context switches of all threads that are there, libzmq's too."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii", errors="replace") as file:
            total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
    return total


class Idle(BusCase):
    def test_a_hundred_idle_agents_hardly_wake_their_node(self):
        words = [str(MEMBERS), "1", str(4 * PATIENCE)]
        members = [subprocess.Popen([test_agent("crowd_member"), str(index), *words], env=self.env,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
                   for index in range(MEMBERS)]
        self.started += members
        self.assertTrue(all(one.stdout.readline().startswith(b"connected") for one in members))
        node = self.node()["pid"]
        time.sleep(3)  # what connecting left to do
        before, began = (cpu_seconds(node), switches(node)), time.monotonic()
        time.sleep(60 if IS_FULL else SECONDS)
        took = time.monotonic() - began
        share = (cpu_seconds(node) - before[0]) / took
        rate = (switches(node) - before[1]) / took
        print(f"node of {MEMBERS}: {share * 100:.2f} % of a core, {rate:.1f} context switches "
              f"a second over {took:.0f} s", flush=True)
        self.assertLess(rate, WAKE_UPS)
        # Of so few seconds a hundredth is few ticks of the kernel's clock.
        self.assertLess(share, CORE_SHARE if IS_FULL else 3 * CORE_SHARE)

    def test_an_idle_bus_uses_less_than_a_hundredth_of_a_core_each(self):
        reader = self.subscribe("a.>")
        self.assertEqual(self.abuzz("pub", "a.b", "x").returncode, 0)
        pids = {"node": self.node()["pid"], "sub": reader.pid}
        time.sleep(1)  # what connecting and the first message left to do
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        began = time.monotonic()
        time.sleep(SECONDS)
        took = time.monotonic() - began
        for name, pid in pids.items():
            share = (cpu_seconds(pid) - before[name]) / took
            print(f"{name}: {share * 100:.2f} % of a core", flush=True)
            self.assertLess(share, CORE_SHARE, name)

    def test_an_idle_node_and_a_simple_agent_are_small(self):
        self.assertEqual(self.abuzz("node", "start").returncode, 0)
        node = resident_bytes(self.node()["pid"])
        agent = subprocess.Popen([test_agent("crowd_member"), "0", "1", "1", str(PATIENCE)],
                                 env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.started.append(agent)
        self.assertTrue(agent.stdout.readline().startswith(b"connected"))
        reader = self.subscribe("a")
        sizes = {"node": (node, NODE_BYTES),
                 "node with two agents": (resident_bytes(self.node()["pid"]), NODE_BYTES),
                 "agent": (resident_bytes(agent.pid), AGENT_BYTES),
                 "sub": (resident_bytes(reader.pid), AGENT_BYTES)}
        for name, (size, limit) in sizes.items():
            print(f"{name}: {size / MIB:.1f} MiB", flush=True)
            self.assertLess(size, limit, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
