"""Playing: clock, ports, quantiser, improviser, voices, engine, recorder."""
