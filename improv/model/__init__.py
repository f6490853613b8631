"""The models: pure torch, no I/O but the checkpoint."""
