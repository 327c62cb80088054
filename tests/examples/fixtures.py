"""Files that examples begin with, made by what the end of their names says."""
from __future__ import annotations

import json
import subprocess

# ffmpeg's test pattern counts seconds, so that no two pictures are the same.
MADE_BY_FFMPEG = {
    ".jpg": ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=1", "-frames:v", "1"],
    ".png": ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=1", "-frames:v", "1"],
    ".wav": ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000", "-t", "1"],
}

WRITTEN = {
    ".json": lambda number: json.dumps({"temperature": 21.5 + number}).encode() + b"\n",
    ".txt": lambda number: b"one\ntwo\nthree\n",
    ".bin": lambda number: bytes(range(256)) * 16,
}

FFMPEG_SECONDS = 30


# The ends of the names of what can be made.
KINDS = (*WRITTEN, *MADE_BY_FFMPEG)


def make(path, number):
    """Makes a file of one of these kinds. Pictures and JSON differ by their number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in WRITTEN:
        path.write_bytes(WRITTEN[path.suffix](number))
    else:
        arguments = ["ffmpeg", "-v", "error", "-nostdin", "-y", *MADE_BY_FFMPEG[path.suffix], "-ss", str(number), str(path)]
        subprocess.run(arguments, check=True, timeout=FFMPEG_SECONDS)
