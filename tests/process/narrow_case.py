"""Less of a machine than there is: a mask, a cpuset, a quota, for processes that a test starts.

Each of the three returns what such a process does before it becomes its program, and skips the test
where this machine has no such thing to give.
"""

import os

from bus_case import BusCase

GROUPS = "/sys/fs/cgroup"


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


class NarrowCase(BusCase):
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

    @staticmethod
    def enter(path):
        return lambda: write(os.path.join(path, "cgroup.procs"), str(os.getpid()))

    def mask_of_one(self):
        first = min(os.sched_getaffinity(0))
        return lambda: os.sched_setaffinity(0, {first})

    def cpuset_of_one(self):
        path = self.group("cpuset")
        try:
            if os.path.exists(os.path.join(path, "cpuset.mems")):
                write(os.path.join(path, "cpuset.mems"), "0")
            write(os.path.join(path, "cpuset.cpus"), str(max(os.sched_getaffinity(0))))
        except OSError as fault:
            self.skipTest(f"the cpuset cannot be set: {fault}")
        return self.enter(path)

    def quota_of_half(self):
        path = self.group("cpu")
        try:
            if os.path.exists(os.path.join(path, "cpu.max")):
                write(os.path.join(path, "cpu.max"), "50000 100000")
            else:
                write(os.path.join(path, "cpu.cfs_period_us"), "100000")
                write(os.path.join(path, "cpu.cfs_quota_us"), "50000")
        except OSError as fault:
            self.skipTest(f"the quota cannot be set: {fault}")
        return self.enter(path)
