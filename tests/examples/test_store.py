"""What tells that a program in the background has begun."""
import unittest
from dataclasses import replace

from store import Look

QUIET = Look(streams=frozenset({"dev0"}), entries=5, pulls=1, pushes=1, pushes_open=0)
BUSY = replace(QUIET, pushes_open=1)


class Noticing(unittest.TestCase):
    def test_nothing_is_noticed_without_a_socket(self):
        self.assertFalse(QUIET.has_noticed(QUIET))
        self.assertFalse(replace(BUSY, entries=9).has_noticed(BUSY))

    def test_a_pull_has_begun_when_it_is_open(self):
        self.assertTrue(replace(BUSY, pulls=2).has_noticed(BUSY))

    def test_a_push_has_begun_when_an_entry_is_stored(self):
        opened = replace(QUIET, pushes=2, pushes_open=1)
        self.assertFalse(opened.has_noticed(QUIET))
        self.assertTrue(replace(opened, entries=6).has_noticed(QUIET))

    def test_beside_another_push_only_a_new_stream_tells(self):
        opened = replace(BUSY, pushes=2, pushes_open=2, entries=9)
        self.assertFalse(opened.has_noticed(BUSY))
        self.assertTrue(replace(opened, streams=frozenset({"dev0", "dev1"})).has_noticed(BUSY))


if __name__ == "__main__":
    unittest.main()
