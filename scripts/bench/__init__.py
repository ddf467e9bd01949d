"""Benchmarks of whole processes in turns, against peers that stay as they are; docs/benchmarks.md."""
