"""Opens the panel with the settings in the first argument, as JSON: `python -m ui SETTINGS`."""

import sys

from improv.live.process import Settings
from ui.panel import open_panel

if __name__ == "__main__":
    sys.exit(open_panel(Settings.from_json(sys.argv[1])))
