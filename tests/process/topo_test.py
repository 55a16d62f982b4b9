"""The machine as a process may use it: under a mask, a cpuset, a quota, and without /sys."""

import json
import os
import subprocess
import unittest

from bus_case import ABUZZ
from narrow_case import NarrowCase, read


class Topo(NarrowCase):
    def setUp(self):
        super().setUp()
        # Of one shard, however many the rest of the suite is run with.
        self.env.pop("ABUZZ_PLACE__SHARDS", None)

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

    def test_a_mask_of_one_is_all_there_is(self):
        first = min(os.sched_getaffinity(0))
        mask = self.mask_of_one()
        self.assertEqual(self.processors(mask), [first])
        node = self.assert_bus_works_under(mask)
        self.assertEqual(os.sched_getaffinity(node["pid"]), {first})

    def test_a_cpuset_of_one_is_all_there_is(self):
        enter = self.cpuset_of_one()
        self.assertEqual(self.processors(enter), [max(os.sched_getaffinity(0))])
        self.assert_bus_works_under(enter)
        self.assertEqual(self.abuzz("node", "stop").returncode, 0)

    def test_half_a_processor_is_enough(self):
        enter = self.quota_of_half()
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

    def thread_masks(self, pid):
        """Name of each thread of a process -> the processors that it may use."""
        masks = {}
        for task in os.listdir(f"/proc/{pid}/task"):
            masks[read(f"/proc/{pid}/task/{task}/comm")] = os.sched_getaffinity(int(task))
        return masks

    def test_a_node_pins_its_threads_on_wish(self):
        self.assertEqual(self.abuzz("node", "start", "--set", "place.pin=on").returncode, 0)
        node = self.node()
        threads = {thread["name"]: thread for thread in node["threads"]}
        self.assertEqual(set(threads), {"shard 0", "I/O 0", "door"})
        shard = threads["shard 0"]
        self.assertEqual((shard["pinned"], shard["refused"]), (True, 0))
        masks = self.thread_masks(node["pid"])
        self.assertEqual(masks["abz-shard-0"], {int(shard["processors"])})
        self.assertEqual(masks["abz-door"], os.sched_getaffinity(0))
        self.assertIn("pinned", self.abuzz("node", "status").stdout)
        self.assertIn("thread shard 0 on ", self.abuzz("info", "node").stdout)
        self.assert_bus_works()

    def test_a_node_that_does_not_pin_says_why(self):
        self.assertEqual(self.abuzz("node", "start", "--set", "place.pin=off").returncode, 0)
        self.assertIn("not pinned: as asked", self.abuzz("node", "status").stdout)
        node = self.node()
        for thread in node["threads"]:
            self.assertFalse(thread["pinned"])
        self.assertEqual(self.thread_masks(node["pid"])["abz-shard-0"], os.sched_getaffinity(0))

    def test_what_was_measured_is_kept_for_the_plan(self):
        done = self.abuzz("topo", "--json")
        self.assertNotIn("measures", json.loads(done.stdout))
        measured = json.loads(self.abuzz("topo", "--measure", "--json").stdout)["measures"]
        self.assertLess(measured["took_ns"], 1e9)  # 100 ms on a machine that is not busy
        kept = json.loads(self.abuzz("topo", "--plan", "--json").stdout)
        self.assertEqual(kept["measures"]["wake_same_us"], round(measured["wake_same_us"], 3))
        self.assertEqual(kept["plan"]["shards"], 1)
        self.assertTrue(kept["plan"]["pin_reason"])

    def test_the_plan_of_another_machine_says_why(self):
        done = self.abuzz("topo", "--plan", "--machine", "pack:2 l3:1 core:4 pu:2", "--workers",
                          "auto")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("shards   7: 8 cores: one shard a core, one core left to others", done.stdout)
        self.assertIn("workers  8: ", done.stdout)
        self.assert_fails(self.abuzz("topo", "--measure", "--machine", "pu:2"), 2, "ABZ-1002")
        self.assert_fails(self.abuzz("topo", "--plan", "--shards", "0"), 2, "ABZ-1002")

    def test_another_machine_is_drawn_as_it_is_described(self):
        topology = self.topology("--machine", "pack:2 numa:2 core:16 pu:2")
        self.assertEqual(len(topology["cores"]), 64)
        self.assertEqual({core["numa"] for core in topology["cores"]}, {0, 1, 2, 3})
        self.assert_fails(self.abuzz("topo", "--machine", "nonsense"), 2, "ABZ-1002")


if __name__ == "__main__":
    unittest.main(verbosity=2)
