"""Group workers killed at random under load, hundreds of times: each message is done, once or
marked as a repeat, and the ledger knows of no unknown."""

import unittest

from bus_case import campaign_count
from group_case import GroupCase


class GroupKills(GroupCase):
    def test_with_acknowledgements(self):
        self.run_kills("manual", campaign_count(150))

    def test_without_acknowledgements(self):
        self.run_kills("auto", campaign_count(150))


if __name__ == "__main__":
    unittest.main()
