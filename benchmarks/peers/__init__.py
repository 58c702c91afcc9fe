"""The contestants of `benchmarks/training.py`: a module for each library, and what they share.

Each of those modules has `run(data, stopwatch, **options)`, which trains or predicts without end and counts every batch
on the stopwatch. It is imported in the contestant's own process alone, so that no library's threads meet another's.
"""
