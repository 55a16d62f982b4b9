"""A hundred agents of skewed load on two shards: one tenth of them make nine tenths of the traffic,
and stand on one shard at first. Within two seconds the load is shared, and nothing is lost."""

import subprocess
import time
import unittest

import counter_file
from bus_case import PATIENCE, BusCase, test_agent

AGENTS, HOT, RATE = 100, 10, 2000
SECONDS_TO_LEVEL, SECONDS = 2, 6
WORST = 1.3
# Of a core: less than this more than the mean is nothing that the balancer moves anybody for.
EXCESS = 0.015


class Skew(BusCase):
    def setUp(self):
        super().setUp()
        self.env["ABUZZ_PLACE__SHARDS"] = "2"

    def rows(self):
        return counter_file.read(f"{self.runtime}/node.counters")

    def look(self):
        """Frames of each shard's agents by agent, moves by agent, busy time by shard."""
        rows = self.rows()
        agents = [row for row in rows[counter_file.AGENT] if row.texts[0].startswith("talker-")]
        frames = {row.texts[0]: row["frames in"] + row["frames out"] for row in agents}
        where = {row.texts[0]: row["shard"] for row in agents}
        moves = {row.texts[0]: row["moves between shards"] for row in agents}
        busy = {row["number of its role"]: row["busy time"]
                for row in rows[counter_file.THREAD] if row.texts[0].startswith("shard")}
        return frames, where, moves, busy

    def test_skewed_load_is_shared(self):
        self.assertEqual(self.abuzz("node", "start").returncode, 0)
        talkers = subprocess.Popen([test_agent("skewed"), str(AGENTS), str(HOT), str(RATE)],
                                   env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True)
        self.started.append(talkers)
        self.assertEqual(talkers.stdout.readline(), "ready\n")
        time.sleep(SECONDS_TO_LEVEL)
        worst, worst_by_time, busy_share = [], [], []
        for _ in range(SECONDS):
            frames, where, moves, busy = self.look()
            time.sleep(1)
            frames_now, _, moves_now, busy_now = self.look()
            for name, count in moves_now.items():
                self.assertLessEqual(count - moves[name], 1 + 1, name)  # a look is not in time
            by_shard, by_time = [0, 0], [busy_now[shard] - busy[shard] for shard in (0, 1)]
            for name, count in frames_now.items():
                by_shard[where[name]] += count - frames[name]
            worst.append(max(by_shard) / (sum(by_shard) / 2))
            worst_by_time.append(max(by_time) / (sum(by_time) / 2))
            busy_share.append(sum(by_time) / 1e9)
        said, _ = talkers.communicate(timeout=PATIENCE)
        words = said.split()
        self.assertEqual(words[1], words[3], said)
        process = self.rows()[counter_file.PROCESS][0]
        print(f"busiest shard to the mean, by frames {sorted(worst)[SECONDS // 2]:.2f}, by time "
              f"{sorted(worst_by_time)[SECONDS // 2]:.2f}; {process['moves between shards']} "
              f"moves, {words[1]} messages; both busy {sorted(busy_share)[SECONDS // 2]:.3f}",
              flush=True)
        self.assertGreater(process["moves between shards"], 0)
        self.assertEqual(process["links broken"], 0)
        excess = [(ratio - 1) * share / 2 for ratio, share in zip(worst_by_time, busy_share)]
        if sorted(excess)[SECONDS // 2] > EXCESS:
            self.assertLess(sorted(worst)[SECONDS // 2], WORST)
        told = self.abuzz("info", "node").stdout
        self.assertIn(" from shard 0 to shard 1: shard 0 was busy ", told)


if __name__ == "__main__":
    unittest.main(verbosity=2)
