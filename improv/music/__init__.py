"""Piano-rolls, MIDI files, keys: pure data, no torch."""
