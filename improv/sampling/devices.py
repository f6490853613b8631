"""What `--device` may say."""

DEVICES = {
    "auto": ("cpu", "torch", "cuda-graph", "triton"),
    "cpu": ("cpu",),
    "cuda": ("cuda-graph", "triton"),
    "torch": ("torch",),
}
"""Samplers by what `--device` says: `auto` is whichever is the fastest."""
