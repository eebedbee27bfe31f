"""The optimizers by name. Each is a rule, its numbers, and the common keywords of `Optimizer`.

Every one takes ``l2=`` (coupled) or ``decay=`` (decoupled), ``times=``, ``on=``, ``schedule=``, ``decay_schedule=``, or
``regularizer=`` with ``at=``, except those whose name already says that they decouple: `SGDW` and `AdamW`.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Unpack

from minigrad import rules
from minigrad.nn.parameter import Parameter
from minigrad.optim.choice import Options, is_zero
from minigrad.optim.optimizer import Optimizer
from minigrad.regularization.checks import Numbers, Scheduled, as_number, scheduled
from minigrad.regularization.column import each
from minigrad.rules import Rule

__all__ = [
    "SGD", "SGDW", "AMSGrad", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "NAdam", "RAdam", "RMSprop",
]  # fmt: skip

Params = Iterable[Parameter]


class SGD(Optimizer):
    """Gradient descent, plain or with momentum.

    ``SGD(params, lr=a, l2=b)`` couples, ``SGD(params, lr=a, decay=c)`` decouples. Without momentum the two are the same
    algorithm where ``l2 = decay / lr`` (on the same parameters); with it they are not:
    the buffer remembers the penalty.

    Args:
        params, options: see `Optimizer`.
        lr: the learning rate α.
        momentum: β in [0, 1), or a function of the 0-based step. 0 keeps no buffer.
        momentum_form: "outside", b ← β b + g, δ = α b (PyTorch, optax); or "inside", m ← β m + α g, δ = m (the paper's
            Algorithm 1, Keras). They differ as soon as lr changes.
        nesterov: PyTorch's form, δ = α (g + β b); needs momentum, outside.

    ``torch.optim.SGD(weight_decay=c)`` is ``l2=c, on="all"``; its dampening is not offered.
    """

    def __init__(
        self,
        params: Params,
        lr: Scheduled,
        *,
        momentum: Scheduled = 0.0,
        momentum_form: str = "outside",
        nesterov: bool = False,
        **options: Unpack[Options],
    ):
        if momentum_form not in ("outside", "inside"):
            raise ValueError(f'momentum_form must be "outside" or "inside", got {momentum_form!r}')
        momentum = scheduled("momentum", momentum)
        rests = is_zero(momentum)
        if nesterov and (rests or momentum_form == "inside"):
            raise ValueError(
                f'nesterov=True needs momentum > 0 and momentum_form="outside", got momentum={momentum!r}, '
                f"momentum_form={momentum_form!r}"
            )
        if rests:
            super().__init__(params, rules.sgd, lr, **options)
            return
        outside = rules.nesterov if nesterov else rules.heavy_ball
        rule = outside if momentum_form == "outside" else rules.heavy_ball_inside
        super().__init__(params, rule, lr, {"momentum": momentum}, **options)


class SGDW(Optimizer):
    """SGD with momentum and decoupled weight decay: m ← β m + lr_t g, w ← (1 − η_t) w − m.

    The paper's Algorithm 1, with the learning rate inside the buffer and, by default, η_t = s_t · decay. PyTorch's,
    Keras's and optax's decay is ``times="lr"``. For ``l2=`` use `SGD`.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv 1711.05101, Algorithm 1.
    """

    _couples = "SGD"
    _couples_by = ', momentum=..., momentum_form="inside"'

    def __init__(self, params: Params, lr: Scheduled, *, momentum: Scheduled = 0.9, **options: Unpack[Options]):
        self._decay_alone(options)
        super().__init__(params, rules.heavy_ball_inside, lr, {"momentum": scheduled("momentum", momentum)}, **options)


class Adam(Optimizer):
    """Adam: ``Adam(params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)``.

    ``l2=b`` enters the moments (``torch.optim.Adam(weight_decay=b)`` is ``l2=b, on="all"``): each weight is then
    shrunk less, the larger its gradients are. ``decay=c`` makes it `AdamW`. No choice of b makes the two equal.

    Args:
        params, options: see `Optimizer`.
        lr: the learning rate α.
        betas: (β₁, β₂), numbers in [0, 1).
        eps: ε, added to √v̂.
    """

    _rule: ClassVar[Rule] = staticmethod(rules.adam)

    def __init__(
        self,
        params: Params,
        lr: Scheduled = 1e-3,
        betas: tuple[Numbers, Numbers] = (0.9, 0.999),
        eps: Numbers = 1e-8,
        **options: Unpack[Options],
    ):
        beta1, beta2 = _pair(betas)
        super().__init__(params, self._rule, lr, {"beta1": beta1, "beta2": beta2, "eps": eps}, **options)


class AdamW(Adam):
    """Adam with decoupled weight decay, and nothing else: w ← (1 − η_t) w − lr_t m̂/(√v̂ + ε), η_t = s_t · decay.

    The paper's form. ``torch.optim.AdamW(weight_decay=c)``, Keras's and optax's are ``decay=c, times="lr"``, and have
    a decay by default (0.01, 0.004, 0.0001); here there is none unless it is asked for. For ``l2=`` use `Adam`.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv 1711.05101, Algorithm 2.
    """

    _couples = "Adam"

    def __init__(
        self,
        params: Params,
        lr: Scheduled = 1e-3,
        betas: tuple[Numbers, Numbers] = (0.9, 0.999),
        eps: Numbers = 1e-8,
        **options: Unpack[Options],
    ):
        self._decay_alone(options)
        super().__init__(params, lr, betas, eps, **options)


class AMSGrad(Adam):
    """Adam whose second moment never shrinks, in PyTorch's form: ``torch.optim.Adam(amsgrad=True)``. See `Adam`."""

    _rule = staticmethod(rules.amsgrad)


class Adagrad(Optimizer):
    """Adagrad: ``Adagrad(params, lr=1e-2, eps=1e-10)``. PyTorch's ``weight_decay=b`` is ``l2=b, on="all"``."""

    def __init__(self, params: Params, lr: Scheduled = 1e-2, eps: Numbers = 1e-10, **options: Unpack[Options]):
        super().__init__(params, rules.adagrad, lr, {"eps": eps}, **options)


class RMSprop(Optimizer):
    """RMSprop: ``RMSprop(params, lr=1e-2, rho=0.99, eps=1e-8)``; rho is ``alpha`` in ``torch.optim.RMSprop``.

    PyTorch's ``weight_decay=b`` is ``l2=b, on="all"``.
    """

    def __init__(
        self,
        params: Params,
        lr: Scheduled = 1e-2,
        rho: Numbers = 0.99,
        eps: Numbers = 1e-8,
        **options: Unpack[Options],
    ):
        super().__init__(params, rules.rmsprop, lr, {"rho": rho, "eps": eps}, **options)


class Adadelta(Optimizer):
    """Adadelta: ``Adadelta(params, lr=1.0, rho=0.9, eps=1e-6)``. PyTorch's ``weight_decay=b`` is ``l2=b, on="all"``."""

    def __init__(
        self,
        params: Params,
        lr: Scheduled = 1.0,
        rho: Numbers = 0.9,
        eps: Numbers = 1e-6,
        **options: Unpack[Options],
    ):
        super().__init__(params, rules.adadelta, lr, {"rho": rho, "eps": eps}, **options)


class Adamax(Adam):
    """Adam with the infinity norm: ``Adamax(params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8)``. See `Adam`."""

    _rule = staticmethod(rules.adamax)

    def __init__(
        self,
        params: Params,
        lr: Scheduled = 2e-3,
        betas: tuple[Numbers, Numbers] = (0.9, 0.999),
        eps: Numbers = 1e-8,
        **options: Unpack[Options],
    ):
        super().__init__(params, lr, betas, eps, **options)


class RAdam(Adam):
    """Adam that waits until its second moment can be trusted: ``torch.optim.RAdam``. See `Adam`.

    PyTorch's ``weight_decay=c`` is ``l2=c, on="all"``, and with ``decoupled_weight_decay=True`` it is ``decay=c,
    times="lr"``.
    """

    _rule = staticmethod(rules.radam)


class NAdam(Optimizer):
    """Adam that looks ahead: ``NAdam(params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, psi=4e-3)``.

    psi is ``momentum_decay`` in ``torch.optim.NAdam``, whose ``weight_decay=c`` is ``l2=c, on="all"``, and with
    ``decoupled_weight_decay=True`` it is ``decay=c, times="lr"``.
    """

    def __init__(
        self,
        params: Params,
        lr: Scheduled = 2e-3,
        betas: tuple[Numbers, Numbers] = (0.9, 0.999),
        eps: Numbers = 1e-8,
        psi: Numbers = 4e-3,
        **options: Unpack[Options],
    ):
        beta1, beta2 = _pair(betas)
        numbers = {"beta1": beta1, "beta2": beta2, "eps": eps, "psi": psi}
        super().__init__(params, rules.nadam, lr, numbers, **options)


class Lion(Optimizer):
    """Lion: ``Lion(params, lr=1e-4, betas=(0.9, 0.99))``. Published with decay multiplied by lr: ``times="lr"``.

    ``l2=`` is possible and shows why it is not done: inside the sign it shrinks nothing in proportion to w.
    """

    def __init__(
        self,
        params: Params,
        lr: Scheduled = 1e-4,
        betas: tuple[Numbers, Numbers] = (0.9, 0.99),
        **options: Unpack[Options],
    ):
        beta1, beta2 = _pair(betas)
        super().__init__(params, rules.lion, lr, {"beta1": beta1, "beta2": beta2}, **options)


def _pair(betas: Any) -> tuple[Any, Any]:
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise TypeError(f"betas must be two numbers (beta1, beta2), got {betas!r}")
    return each(as_number, "beta1", betas[0]), each(as_number, "beta2", betas[1])
