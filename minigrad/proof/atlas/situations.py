"""In which circumstances a pair is compared, each said as what it changes in a training loop, and nothing more."""

from dataclasses import dataclass

__all__ = ["FIRST", "SITUATIONS", "Situation"]


@dataclass(frozen=True)
class Situation:
    """What distinguishes a training loop from the plainest one: one weight, one batch, constant numbers.

    Attributes:
        name: as it is asked for.
        words: the same, for a legend, with the convention that is meant.
        schedule: what a multiplier s_t multiplies: nothing, "both" α and η, or "lr" alone.
        restarts: whether the multiplier falls and jumps back to 1; otherwise any s_t > 0.
        roles: the parameters; where there are weights and others, each side regularises what its library default is:
            L2 the weights, decay all.
        uses: for every use of a parameter in the loss, which parameter it is.
        batches: how many micro-batches make a step.
        scaled: whether the loss is multiplied by S and the gradients are divided by it.
        clip: whether gradients are clipped between the loss and the optimizer, "value" or "norm".
        data: "any" loss, "zero" for a loss that does not change with the weights, "scale-invariant" for batch norm.
        absent: whether there are steps in whose loss the parameter does not occur.
    """

    name: str
    words: str
    schedule: str | None = None
    restarts: bool = False
    roles: tuple[str, ...] = ("weight",)
    uses: tuple[int, ...] = (0,)
    batches: int = 1
    scaled: bool = False
    clip: str | None = None
    data: str = "any"
    absent: bool = False

    @property
    def kinds(self) -> tuple[bool, ...]:
        """The kinds of step: whether the parameter occurs in the loss."""
        return (True, False) if self.absent else (True,)

    @property
    def multi(self) -> bool:
        """Whether there is more than one parameter."""
        return len(self.roles) > 1


SITUATIONS: dict[str, Situation] = {
    s.name: s
    for s in (
        Situation("constant", "constant α and η"),
        Situation("schedule", "a schedule multiplies α and η alike; λ stays", schedule="both"),
        Situation("lr-schedule", "a schedule multiplies α alone; η and λ stay", schedule="lr"),
        Situation("selection", "a weight and a bias: L2 acts on weights, decay on all parameters",
                  roles=("weight", "bias"), uses=(0, 1)),
        Situation("clip-value", "each entry of the gradient is clipped to [−c, c] between loss and optimizer",
                  clip="value"),
        Situation("clip-norm", "the gradient of two weights is scaled to a norm of at most c between loss and "
                  "optimizer", clip="norm", roles=("weight", "weight"), uses=(0, 1)),
        Situation("accumulation", "two micro-batches: the loss of each, a penalty included, is divided by 2, and the "
                  "gradients add up", batches=2),
        Situation("loss-scaling", "the loss, a penalty included, is multiplied by S, the gradients are divided by S",
                  scaled=True),
        Situation("restarts", "a schedule that multiplies α and η alike falls, and jumps back to 1; the state is kept",
                  schedule="both", restarts=True),
        Situation("zero-gradients", "the data loss has gradient 0", data="zero"),
        Situation("missing-gradients", "the data loss of some steps does not contain the weight; the optimizer skips "
                  "a parameter without a gradient, its state and its t too", absent=True),
        Situation("tied", "the weight is used at two places of the net; it is one parameter, penalised once",
                  uses=(0, 0)),
        Situation("batch-norm", "two weights before batch norm (ε = 0), which makes the data loss invariant to their "
                  "common scale", data="scale-invariant", roles=("weight", "weight"), uses=(0, 1)),
    )
}  # fmt: skip

FIRST = tuple(SITUATIONS)[:4]  # what every rule is asked; the rest is asked of sgd, heavy_ball and adam
