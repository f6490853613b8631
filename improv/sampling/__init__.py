"""The live chain: one small interface, and the implementations that sample it."""
