"""What a flood does to the partner: `python benchmarks/flood.py [--seconds 60] [--rate 10000] [--notes 2]`, with JACK.

So many events a second come in at the port of a playing engine: of every ten so many notes, the others aftertouch on
all channels and clock pulses, and a sysex after every 32. Prints one JSON object; ends with status 1 where a tick was
missed, a note is missing from the take, or one is left sounding.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict

from improv.bench.flood import flood
from improv.bench.jack_server import PATIENT, jack_server
from improv.live.priority import realtime_is_permitted

PERIOD = 64  # samples a cycle


def main() -> int:
    """Plays and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=10_000, help="events a second")
    parser.add_argument("--notes", type=int, default=2, choices=range(11), help="of ten events")
    args = parser.parse_args()
    with jack_server(PERIOD, *PATIENT, realtime=realtime_is_permitted()):
        flooded = flood(args.seconds, args.rate, args.notes)
    print(json.dumps(asdict(flooded) | {"load": os.getloadavg()[0]}))
    return 1 if flooded.missed or flooded.sounding or flooded.kept != flooded.notes else 0


if __name__ == "__main__":
    sys.exit(main())
