"""Offline: corpus -> model -> m.pt, with evaluation and plots."""
