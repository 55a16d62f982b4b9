"""bench --against: silent where nothing differs, and a tenth more a message is found."""

import json
import os
import shutil
import subprocess
import unittest

from bus_case import ABUZZ, BusCase

PERCENT = int(os.environ.get("ABUZZ_CAMPAIGN_PERCENT", "1"))
TRIES = max(1, 50 * PERCENT // 100)
SLOW_TRIES = 10
LIMIT = "60s" if PERCENT >= 100 else "4s"
STEP_INSTRUCTIONS = 3  # of a step in slow_publish.cpp
AGENTS = os.environ["ABUZZ_TEST_AGENTS"]


@unittest.skipIf(shutil.which("valgrind") is None, "valgrind is not there")
class Comparison(BusCase):
    def compare(self, program, number, **env):
        out = os.path.join(self.base, "comparison.json")
        done = self.run_program(program, "bench", "pubsub", "--against", ABUZZ, "--gate", "10%",
                                "--limit", LIMIT, "--seed", str(number), "--out", out, **env)
        with open(out, encoding="utf-8") as file:
            verdict = json.load(file)["verdict"]
        self.assertEqual(done.returncode, 6 if verdict == "slower" else 0, done.stderr)
        return verdict

    def run_program(self, program, *words, **env):
        return subprocess.run([program, *words], env={**self.env, **env}, capture_output=True,
                              text=True, timeout=600)

    def slowed(self):
        program = os.path.join(self.base, "slow-abuzz")
        shutil.copy(ABUZZ, program)
        # A tenth of what a message needs from publisher to handler, in this build.
        cost = self.run_program(ABUZZ, "bench", "cost", "--json")
        instructions = json.loads(cost.stdout)["cost"][0]["instructions"]
        env = {"LD_PRELOAD": os.path.join(AGENTS, "libslow_publish.so"),
               "ABUZZ_TEST_SLOW": str(round(instructions / 10 / STEP_INSTRUCTIONS))}
        return program, env

    def test_the_same_build_raises_no_alarm(self):
        verdicts = [self.compare(ABUZZ, number) for number in range(TRIES)]
        print(f"the same build, {TRIES} tries of {LIMIT}: {verdicts}")
        self.assertLessEqual(verdicts.count("slower"), TRIES // 50)
        if PERCENT >= 100:
            self.assertLessEqual(verdicts.count("undecided"), TRIES // 10)

    def test_a_tenth_slower_is_found(self):
        if PERCENT < 100:
            self.skipTest("instructions alone judge here; see the test below")
        program, env = self.slowed()
        verdicts = [self.compare(program, number, **env) for number in range(SLOW_TRIES)]
        print(f"a tenth slower, {SLOW_TRIES} tries of {LIMIT}: {verdicts}")
        self.assertGreaterEqual(verdicts.count("slower"), SLOW_TRIES - 1)

    def test_what_a_message_costs_shows_a_tenth_more(self):
        program, env = self.slowed()
        stored = os.path.join(self.base, "cost.json")
        done = self.run_program(ABUZZ, "bench", "cost", "--out", stored)
        self.assertEqual(done.returncode, 0, done.stderr)
        slow = self.run_program(program, "bench", "cost", "--against", stored, "--gate", "10%",
                                **env)
        self.assertEqual(slow.returncode, 6, slow.stdout + slow.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
