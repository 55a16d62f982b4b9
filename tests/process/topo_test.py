"""The machine as a process may use it: under a mask, a cpuset, a quota, and without /sys."""

import json
import os
import subprocess
import unittest

from bus_case import ABUZZ, BusCase

GROUPS = "/sys/fs/cgroup"


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


class Topo(BusCase):
    def topology(self, *words, before=None):
        done = self.abuzz("topo", "--json", *words, before=before)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)["topology"]

    def processors(self, before=None):
        cores = self.topology(before=before)["cores"]
        return sorted(processor for core in cores for processor in core["processors"])

    def assert_bus_works_under(self, before):
        """A node and two agents that inherit what `before` does still talk."""
        reader = self.subscribe("a.b", "--count", "100", before=before)
        node = self.node()
        done = self.abuzz("pub", "a.b", "-", stdin="".join(f"{i}\n" for i in range(100)),
                          before=before)
        self.assertEqual(done.returncode, 0, done.stderr)
        code, out, _ = self.finish(reader)
        self.assertEqual((code, out), (0, "".join(f"a.b\t{i}\n" for i in range(100))))
        return node

    def group(self, controller):
        """A new cgroup of version 1 or 2 with the controller; skips where none can be made."""
        name = f"abz-test-{os.getpid()}-{self._testMethodName}"
        for parent in (os.path.join(GROUPS, controller), GROUPS):
            path = os.path.join(parent, name)
            try:
                os.mkdir(path)
            except OSError:
                continue
            self.addCleanup(os.rmdir, path)
            if any(file.startswith(controller + ".") for file in os.listdir(path)):
                return path
        self.skipTest(f"no cgroup with {controller} can be made here")

    def test_a_mask_of_one_is_all_there_is(self):
        first = min(os.sched_getaffinity(0))

        def mask():
            os.sched_setaffinity(0, {first})

        self.assertEqual(self.processors(mask), [first])
        node = self.assert_bus_works_under(mask)
        self.assertEqual(os.sched_getaffinity(node["pid"]), {first})

    def test_a_cpuset_of_one_is_all_there_is(self):
        path = self.group("cpuset")
        last = max(os.sched_getaffinity(0))
        try:
            if os.path.exists(os.path.join(path, "cpuset.mems")):
                write(os.path.join(path, "cpuset.mems"), "0")
            write(os.path.join(path, "cpuset.cpus"), str(last))
        except OSError as fault:
            self.skipTest(f"the cpuset cannot be set: {fault}")

        def enter():
            write(os.path.join(path, "cgroup.procs"), str(os.getpid()))

        self.assertEqual(self.processors(enter), [last])
        self.assert_bus_works_under(enter)
        self.assertEqual(self.abuzz("node", "stop").returncode, 0)

    def test_half_a_processor_is_enough(self):
        path = self.group("cpu")
        try:
            if os.path.exists(os.path.join(path, "cpu.max")):
                write(os.path.join(path, "cpu.max"), "50000 100000")
            else:
                write(os.path.join(path, "cpu.cfs_period_us"), "100000")
                write(os.path.join(path, "cpu.cfs_quota_us"), "50000")
        except OSError as fault:
            self.skipTest(f"the quota cannot be set: {fault}")

        def enter():
            write(os.path.join(path, "cgroup.procs"), str(os.getpid()))

        self.assertEqual(self.topology(before=enter)["quota"], 0.5)
        self.assert_bus_works_under(enter)
        self.assertEqual(self.abuzz("node", "stop").returncode, 0)

    def test_without_sys_it_is_a_number_of_processors(self):
        script = 'mount -t tmpfs none /sys && exec "$0" topo --json'
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script, ABUZZ], env=self.env,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0 and not done.stdout:
            self.skipTest(f"/sys cannot be hidden here: {done.stderr}")
        cores = json.loads(done.stdout)["topology"]["cores"]
        found = sorted(processor for core in cores for processor in core["processors"])
        self.assertEqual(found, sorted(os.sched_getaffinity(0)))

    def test_what_hwloc_is_told_by_its_environment_stays_inside_the_mask(self):
        done = self.abuzz("topo", "--json", env={"HWLOC_SYNTHETIC": "core:64 pu:2"})
        self.assertEqual(done.returncode, 0, done.stderr)
        cores = json.loads(done.stdout)["topology"]["cores"]
        found = sorted(processor for core in cores for processor in core["processors"])
        self.assertEqual(found, sorted(os.sched_getaffinity(0)))

    def test_another_machine_is_drawn_as_it_is_described(self):
        topology = self.topology("--machine", "pack:2 numa:2 core:16 pu:2")
        self.assertEqual(len(topology["cores"]), 64)
        self.assertEqual({core["numa"] for core in topology["cores"]}, {0, 1, 2, 3})
        self.assert_fails(self.abuzz("topo", "--machine", "nonsense"), 2, "ABZ-1002")


if __name__ == "__main__":
    unittest.main(verbosity=2)
