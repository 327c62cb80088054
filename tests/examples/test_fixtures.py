"""The files that examples begin with. Pictures and sounds are made by ffmpeg."""
import tempfile
import unittest
from pathlib import Path

import fixtures

BEGINNINGS = {
    ".jpg": b"\xff\xd8\xff",
    ".png": b"\x89PNG",
    ".wav": b"RIFF",
    ".json": b"{",
    ".txt": b"one\n",
    ".bin": b"\x00\x01",
}


class Making(unittest.TestCase):
    def test_every_kind_is_what_its_name_says(self):
        with tempfile.TemporaryDirectory() as folder:
            for kind in fixtures.KINDS:
                path = Path(folder, "in/folders", f"file{kind}")
                fixtures.make(path, 0)
                self.assertEqual(path.read_bytes()[: len(BEGINNINGS[kind])], BEGINNINGS[kind])

    def test_pictures_differ(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f"{number}.jpg") for number in range(3)]
            for number, path in enumerate(paths):
                fixtures.make(path, number)
            self.assertEqual(len({path.read_bytes() for path in paths}), 3)


if __name__ == "__main__":
    unittest.main()
