"""What is claimed of trajectories that are not rational."""

from fractions import Fraction
from functools import partial

from minigrad.proof.balls.ball import Ball
from minigrad.proof.balls.trajectories import OPTIMIZERS, gap, rounding, train
from minigrad.proof.claims import Claim, Evidence, UndecidedError

__all__ = ["claims"]

STEPS, MORE = 50, 500
RADIUS = Fraction(1, 2**44)
WIDEST = Fraction(1, 2**200)  # the sum of two radii beyond which not to be told apart says nothing
DOOR = {"decay": "weight decay", "l2": "L2"}


def claims(thorough: bool = False) -> list[Claim]:
    """Return the claims of this section; `thorough` takes more steps."""
    steps = MORE if thorough else STEPS
    found = []
    for loss, words in (("squared_error", "the squared error"), ("logistic", "the logistic loss")):
        where = f"of a tanh network with {words}, after each of {steps} steps"
        found += [
            Claim(
                f"{optimizer}_{door}.{loss}.float64",
                f"{optimizer} with {DOOR[door]} in float64: every weight {where} lies within 2⁻⁴⁴ of the exact one",
                True,
                partial(_certified, optimizer, door, loss, steps),
            )
            for optimizer, door in (("adam", "decay"), ("adam", "l2"), ("amsgrad", "decay"), ("sgd", "decay"))
        ]
        found += [
            Claim(
                f"{optimizer}.{loss}.identity",
                f"{optimizer} with L2 at λ = η/α and with weight decay: balls do not tell the weights {where} apart",
                optimizer == "sgd",
                partial(_told_apart, optimizer, loss, steps),
            )
            for optimizer in OPTIMIZERS
        ]
    return found


def _certified(optimizer: str, door: str, loss: str, steps: int) -> Evidence:
    floats = train(float, optimizer, door, steps, loss=loss)
    balls = train(Ball, optimizer, door, steps, loss=loss)
    found = rounding(floats, balls)
    widest = max(b.radius for bs in balls for b in bs)
    shown = f"within {float(found):.3g} of it; the balls' own radius is at most {float(widest):.1e}"
    return Evidence(found <= RADIUS, shown, data={"steps": steps, "radius": float(found)})


def _told_apart(optimizer: str, loss: str, steps: int) -> Evidence:
    one, other = (train(Ball, optimizer, door, steps, loss=loss) for door in ("l2", "decay"))
    gaps = [gap(one[: t + 1], other[: t + 1]) for t in range(len(one))]
    end = gaps[-1]
    data = {"steps": steps, "least": float(end.least), "most": float(end.most), "radii": float(end.radii)}
    if not any(g.most for g in gaps):
        if (widest := max(g.radii for g in gaps)) > WIDEST:
            raise UndecidedError(f"no weight is told apart, but by balls of radius {float(widest):.1e}: take more bits")
        return Evidence(True, f"no weight is told apart by balls of radius {float(end.radii):.1e}", data=data)
    if not end.apart:
        t, most = max(((t, g.most) for t, g in enumerate(gaps)), key=lambda found: found[1])
        return Evidence(False, f"after step {t} some weights are apart, by up to {float(most):.3g}", data=data)
    times = len(str(int(end.least / end.radii))) - 1
    shown = (
        f"at the end every weight is apart by {float(end.least):.3g} to {float(end.most):.3g}, more than 10^{times} "
        f"times the sum of the two radii, {float(end.radii):.1e}"
    )
    return Evidence(False, shown, data=data)
