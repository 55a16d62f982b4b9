"""Ten thousand publishers that live for one message each: a confirmed subscriber gets them all."""

import subprocess
import time
import unittest

from bus_case import PATIENCE, BusCase, campaign_count, test_agent

AT_ONCE = 4
# Long, so that a process which waited for its deadline would be seen, whatever the machine does.
LINGER = 60


class ShortLives(BusCase):
    def setUp(self):
        super().setUp()
        self.env["ABUZZ_AGENT__LINGER"] = f"{LINGER}s"

    def publish(self, text):
        return time.monotonic(), text, subprocess.Popen(
            [test_agent("one_shot"), "short.life", text], env=self.env,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def end(self, began, text, process):
        """Answers how long it lived."""
        _, err = process.communicate(timeout=LINGER + PATIENCE)
        self.assertEqual(process.returncode, 0, f"{text}: {err.decode()}")
        return time.monotonic() - began

    def test_campaign_of_short_lives(self):
        count = campaign_count(10_000)
        with open(f"{self.base}/seen", "wb") as seen:
            reader = self.subscribe("short.>", "--raw", "--count", str(count), "--timeout", "2h",
                                    stdout=seen)
        began = time.monotonic()
        alive, lives = [], []
        for number in range(count):
            alive.append(self.publish(str(number)))
            if len(alive) == AT_ONCE:
                lives.append(self.end(*alive.pop(0)))
        lives += [self.end(*one) for one in alive]
        took = time.monotonic() - began
        try:
            code = reader.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            code = None
        with open(f"{self.base}/seen", encoding="ascii") as seen:
            numbers = [int(line) for line in seen.read().split()]
        lives.sort()
        print(f"{count} processes in {took:.1f} s, {AT_ONCE} at a time: median "
              f"{lives[count // 2] * 1000:.0f} ms, longest {lives[-1] * 1000:.0f} ms", flush=True)
        self.assertEqual(sorted(numbers), list(range(count)))
        self.assertEqual(code, 0)
        self.assertLess(lives[-1], LINGER / 2, "a process waited for its deadline")


if __name__ == "__main__":
    unittest.main(verbosity=2)
