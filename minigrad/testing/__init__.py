"""Testing: what other people's optimizers can be held against.

- `minigrad.testing.properties`: what decay and L2 must do, as functions that take any optimizer.
- `minigrad.testing.strategies`: Hypothesis strategies to draw hyperparameters, histories, trees and schedules from.
- `minigrad.testing.vectors`: ten steps of every variant, with exact values, as JSON for any language.

Nothing is imported here: the vectors need NumPy alone, the rest Hypothesis (extra ``proof``).
"""
