"""improv: a real-time musical partner."""

__version__ = "0.1.0"
