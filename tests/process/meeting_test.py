"""Threads of exchanges are brought to one processor where that pays; those of streams never."""

import json
import os
import time
import unittest

from bus_case import PATIENCE, BusCase

ACROSS_US = 20  # well over what counts as dear, so that another measurement says the same
SAMPLES_EVERY = 0.1


def masks(pid, name):
    """Where the kernel lets the threads of a process run that are called so."""
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/comm", encoding="utf-8") as file:
                if not file.read().startswith(name):
                    continue
            found.append(frozenset(os.sched_getaffinity(int(thread))))
        except OSError:
            continue  # it has ended
    return found


class Meeting(BusCase):
    def roles(self):
        """The processes of a benchmark that runs, by what they are."""
        found = {}
        for pid, command in self.processes().items():
            if '"role":"' in command:
                found[command.split('"role":"')[1].split('"')[0]] = pid
        return found

    def watch(self, *words):
        """Runs a benchmark; yields its roles a few times while it lasts."""
        bench = self.start("bench", *words, "--only", "abuzz", "--runs", "1")
        while bench.poll() is None:
            try:
                yield self.roles()
            except OSError:
                pass  # one of them has just ended
            time.sleep(SAMPLES_EVERY)
        code, _, err = self.finish(bench, PATIENCE)
        self.assertEqual(code, 0, err)

    def pins(self):
        return json.loads(self.abuzz("topo", "--plan", "--json").stdout)["plan"]["pins"]

    def test_a_stream_is_left_to_the_kernel(self):
        if self.pins():
            self.skipTest("threads are pinned here")
        everywhere = frozenset(os.sched_getaffinity(0))
        looked_at = 0
        for roles in self.watch("pubsub", "--duration", "6s"):
            for pid in roles.values():
                for mask in masks(pid, "abz-") + masks(pid, "1/ZMQbg/IO"):
                    self.assertEqual(mask, everywhere)
                    looked_at += 1
        self.assertGreater(looked_at, 100)

    def test_an_exchange_is_brought_together(self):
        measured = json.loads(self.abuzz("topo", "--measure", "--json").stdout)["measures"]
        across, same = measured["wake_across_us"], measured["wake_same_us"]
        if across < ACROSS_US or same * 3 > across or self.pins():
            self.skipTest(f"it would not pay here: {across} us across, {same} us on one")
        together = 0
        for roles in self.watch("pingpong", "--duration", "8s"):
            if "hub" not in roles or "ponger" not in roles:
                continue
            shard, runner = masks(roles["hub"], "abz-shard"), masks(roles["ponger"], "abz-agent")
            if shard and shard == runner and len(shard[0]) == 1:
                together += 1
        self.assertGreater(together, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
