"""Under load for minutes neither the node nor its agents grow, and after it nothing stays."""

import signal
import statistics
import subprocess
import threading
import time
import unittest

from bus_case import PATIENCE, BusCase, campaign_count, resident_bytes

MIB = 1 << 20
GROWTH_BYTES = 2 * MIB
SECONDS = 600
# At full speed, and with the subscriber stopped for a part of it: every queue has been at its
# bound.
WARM_UP = 5
STOP_AT, CONTINUE_AT = 1, 2.5
LINE = b"x" * 200 + b"\n"
TICK = 0.02
SAMPLE = 0.2
# A process is at rest when it has given nothing back for this long.
REST = 4
# Pools breathe with the scheduling of their processes. Over spans of this length it evens out.
QUARTER_MIN = 60


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
        self.pids = {"node": self.node()["pid"], "pub": publisher.pid, "sub": reader.pid}
        seen = {name: [] for name in self.pids}

        def sample():
            for name, size in self.sizes().items():
                seen[name].append(size)

        load = Load(publisher.stdin)
        for when, number in ((STOP_AT, signal.SIGSTOP), (CONTINUE_AT, signal.SIGCONT)):
            threading.Timer(when, reader.send_signal, (number,)).start()
        saturated = load.run(WARM_UP, None, sample)
        rested = self.at_rest()
        for sizes in seen.values():
            sizes.clear()
        rate = load.run(seconds, saturated / 2, sample)
        print(f"{rate:,.0f} messages/s for {seconds} s after {saturated:,.0f}/s for {WARM_UP} s",
              flush=True)
        for name, sizes in seen.items():
            self.judge_load(name, rested[name], sizes)
        self.judge_rest(rested)
        publisher.stdin.close()
        publisher.stdin = None
        code, out, err = self.finish(publisher)
        self.assertEqual(code, 0, err)
        self.assertIn(f"delivered {load.lines:,} of {load.lines:,}", out)

    def sizes(self):
        return {name: resident_bytes(pid) for name, pid in self.pids.items()}

    def at_rest(self):
        """What remains when nobody gives anything back any more."""
        least, fell_at = self.sizes(), time.monotonic()
        while time.monotonic() < fell_at + REST:
            time.sleep(SAMPLE)
            for name, size in self.sizes().items():
                if size < least[name]:
                    least[name], fell_at = size, time.monotonic()
        return least

    def judge_load(self, name, rested, sizes):
        quarter = len(sizes) // 4
        second = statistics.median(sizes[quarter:2 * quarter])
        last = statistics.median(sizes[-quarter:])
        print(f"{name}: {rested / MIB:.1f} MiB at rest, {second / MIB:.1f} in the second quarter, "
              f"{last / MIB:.1f} in the last, at most {max(sizes) / MIB:.1f}", flush=True)
        if quarter * SAMPLE >= QUARTER_MIN:
            self.assertLess(last - second, GROWTH_BYTES, name)

    def judge_rest(self, before):
        """Once the load is over, each comes back to what it was."""
        def is_back():
            return all(size - before[name] < GROWTH_BYTES for name, size in self.sizes().items())

        self.wait_until(is_back, PATIENCE, f"all back to rest: {before} before")
        for name, size in self.sizes().items():
            print(f"{name}: {(size - before[name]) / MIB:+.2f} MiB at rest", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
