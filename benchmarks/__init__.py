"""Benchmarks: each compares with a named alternative in the same run, prints its table and writes
`results/<name>.json`. `make bench` runs all; `python -m benchmarks NAME ...` some.

Read ratios: seconds differ from machine to machine. docs/performance.md says what they mean.
"""
