"""Under load for minutes, neither the node nor its agents grow."""

import signal
import subprocess
import threading
import time
import unittest

from bus_case import PATIENCE, BusCase, campaign_count, resident_bytes

MIB = 1 << 20
GROWTH_BYTES = 2 * MIB
SECONDS = 600
# At full speed, and with the subscriber stopped for a part of it: every queue has been at its
# bound, so that no hiccup of the machine can make one larger than it was.
WARM_UP = 5
STOP_AT, CONTINUE_AT = 1, 2.5
LINE = b"x" * 200 + b"\n"
TICK = 0.02
SAMPLE = 0.2


class Load:
    """Feeds a publisher's stdin, as fast as it takes it or at a rate."""

    def __init__(self, stdin):
        self.stdin = stdin
        self.lines = 0

    def write(self, count):
        self.stdin.write(LINE * count)
        self.lines += count

    def run(self, seconds, rate, each_sample):
        began = now = time.monotonic()
        sample_at, first = began, self.lines
        while now < began + seconds:
            due = int((now - began) * rate) - (self.lines - first) if rate else 2000
            self.write(max(due, 0))
            if now >= sample_at:
                each_sample()
                sample_at = now + SAMPLE
            if rate:
                time.sleep(TICK)
            now = time.monotonic()
        return (self.lines - first) / (now - began)


class Memory(BusCase):
    def test_campaign_of_memory_under_load(self):
        seconds = max(6, campaign_count(SECONDS))
        reader = self.subscribe("load", "--raw", stdout=subprocess.DEVNULL)
        publisher = self.start("pub", "load", "-", stdin=subprocess.PIPE)
        pids = {"node": self.node()["pid"], "pub": publisher.pid, "sub": reader.pid}
        seen = {name: [] for name in pids}

        def sample():
            for name, pid in pids.items():
                seen[name].append(resident_bytes(pid))

        load = Load(publisher.stdin)
        for when, number in ((STOP_AT, signal.SIGSTOP), (CONTINUE_AT, signal.SIGCONT)):
            threading.Timer(when, reader.send_signal, (number,)).start()
        saturated = load.run(WARM_UP, None, sample)
        before = {name: max(sizes) for name, sizes in seen.items()}
        for sizes in seen.values():
            sizes.clear()
        rate = load.run(seconds, saturated / 2, sample)
        print(f"{rate:,.0f} messages/s for {seconds} s after {saturated:,.0f}/s for {WARM_UP} s",
              flush=True)
        for name, sizes in seen.items():
            self.judge(name, before[name], sizes)
        publisher.stdin.close()
        publisher.stdin = None
        code, out, err = self.finish(publisher)
        self.assertEqual(code, 0, err)
        self.assertIn(f"delivered {load.lines:,} of {load.lines:,}", out)

    def judge(self, name, before, sizes):
        """A node and a subscriber stay as large as full speed made them. A publisher's pool
        breathes with the scheduling of its peers, so only growth that stays counts as such."""
        growth = max(sizes) - before
        quarter = len(sizes) // 4
        kept = min(sizes[-quarter:]) - max(sizes[quarter:2 * quarter])
        print(f"{name}: {before / MIB:.1f} MiB, then at most {growth / MIB:+.1f} MiB; "
              f"second quarter to last {kept / MIB:+.2f} MiB", flush=True)
        if name != "pub":
            self.assertLess(growth, GROWTH_BYTES, name)
        self.assertLess(kept, GROWTH_BYTES, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
