"""Whether a DAW records the partner: `python benchmarks/ardour.py`, with Ardour 7 and JACK installed.

A JACK server with the dummy driver, `improv play` with the demo tune as the player, and Ardour without its window,
which records the virtual port into a MIDI track. Prints what stands in Ardour's session; fails where that is nothing.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from improv.bench.jack_server import jack_server
from improv.music.midifile import read_score

HERE = Path(__file__).parent
SECONDS = 20
PERIOD = 1024  # samples: Ardour takes its time
TUNE = HERE.parent / "assets" / "demo.mid"


def main() -> int:
    """Records, then counts."""
    with tempfile.TemporaryDirectory() as folder, jack_server(PERIOD):
        session, take = Path(folder, "session"), Path(folder, "take.mid")
        environment = {**os.environ, "ARDOUR_SESSION": str(session), "ARDOUR_SECONDS": str(SECONDS)}
        with subprocess.Popen(
            ["ardour7-lua", HERE / "ardour.lua"], env=environment, stdout=subprocess.PIPE, text=True
        ) as ardour:
            assert ardour.stdout is not None
            armed = any(line == "armed\n" for line in ardour.stdout)
            improv = [sys.executable, "-m", "improv", "play", "--headless", "--input", str(TUNE), "--output", "virtual"]
            with subprocess.Popen([*improv, "--record", str(take), "--seconds", str(2 * SECONDS)]) as playing:
                ardour.stdout.read()
                failed = ardour.wait()
                playing.send_signal(2)
        files = sorted(session.glob("interchange/*/midifiles/*.mid"))
        notes = [note for file in files for note in read_score(file).notes]
        played = [note for note in read_score(take).notes if note.track == 2]
        result = {
            "armed": armed,
            "ardour": failed,
            "files": [file.name for file in files],
            "notes": len(notes),
            "pitches": sorted({note.pitch for note in notes}),
            "notes_in_take": len(played),
            "pitches_in_take": sorted({note.pitch for note in played}),
        }
    print(json.dumps(result))
    return 0 if notes and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
