"""Testing: what other people's optimizers can be held against.

- `minigrad.testing.properties`: what decay and L2 must do, as functions that take any optimizer.
- `minigrad.testing.strategies`: Hypothesis strategies to draw hyperparameters, histories, trees and schedules from.
- `minigrad.testing.vectors`: ten steps of every variant, with exact values, as JSON for any language.

Nothing is imported here. NumPy alone is enough to read the vectors and to hold an implementation against them
(`vectors.load`, `vectors.check`). Properties and strategies need Hypothesis; making the vectors anew, and so proving
the claims about them that do (`generate`, `vectors.claims`), needs python-flint. The extra ``proof`` has both.
"""
