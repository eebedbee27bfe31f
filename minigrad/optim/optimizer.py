"""Optimizer: parameters on flat buffers, a rule behind a door, and numbers that may depend on the step."""

import difflib
import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NoReturn

import numpy as np

from minigrad import backend
from minigrad.executors import captured
from minigrad.executors import choose as executors
from minigrad.executors.captured.inlined import Inlined
from minigrad.executors.captured.replayed import OnTheHost
from minigrad.executors.emitted import Compiled, Emitted
from minigrad.executors.fused import Fused
from minigrad.executors.plain import is_array
from minigrad.nn.parameter import Parameter
from minigrad.optim import models, report
from minigrad.optim.choice import Options, Regularizer, Schedule, choose, through, translate
from minigrad.optim.flat import Group, lay_out
from minigrad.optim.hyperparameters import Hyperparameters, check_fit, check_second_moment
from minigrad.regularization.checks import Scheduled, as_number, integer
from minigrad.regularization.doors import Rule, Step, plain
from minigrad.regularization.selection import EXPECTED, On, listed
from minigrad.rules import hyper_names, scalar_state, state_names

__all__ = ["Optimizer"]

_DECIDED = {"params", "rule", "lr", *Options.__annotations__} - {"executor"}


class Optimizer:
    """Any rule, on any parameters, with a regulariser behind one of the doors. The base of `SGD`, `Adam` and others.

    ``l2=b`` adds b·w to the gradient before the rule sees it (door 2); ``decay=c`` shrinks w in the update, and the
    rule never knows (door 3). For plain gradient descent, and for nothing else in this book, the two are the same
    algorithm at ``l2 = decay / lr``. A penalty in the loss (door 1) is a matter of the loss:
    ``L2(b)(model.parameters())`` is added to it, and the optimizer is given neither.

    Args:
        params: an iterable of `mg.nn.Parameter`, each once. Their values move into flat buffers of this optimizer.
        rule: a base rule (`minigrad.rules`, or a function of that form).
        lr: the learning rate α, or a function of the 0-based step.
        own: the rule's further numbers by name (momentum, beta1, eps, …).
        l2: λ of the penalty (λ/2) Σw², added to the gradient. A number, or a function of the 0-based step.
        decay: the rate of weight decay, likewise. What it is multiplied by in each step is said by `times`.
        times: None, "schedule" or "lr": the fraction removed per step is decay, s_t · decay, or lr_t · decay (`Decay`).
        on: which parameters `l2` or `decay` acts on: "weights", "all", or a predicate on a parameter. By default l2
            acts on weights and decay on all parameters; their identity needs the same choice.
        schedule: a function of the 0-based step that multiplies lr and, with times="schedule", the decay.
        decay_schedule: another such function for the decay alone, in place of `schedule`.
        regularizer, at: the general form: L2, L1 or ElasticNet at="gradient" or at="prox" (a proximal step after the
            update: behind a rule that rescales the gradient, another algorithm than the proximal step in that rule's
            metric), or Decay at="shrink".
        executor: what carries the updates out: "auto" (the default), "plain", "numpy", "numba", "cuda", or a function
            with the arguments of `minigrad.executors.plain.execute`. All write the same bits; they differ in speed
            (`minigrad.executors.choose.executor`).

    Attributes:
        params: the parameters, in the order given.
        steps: how many steps were made; also the 0-based number of the next step.
        rule: the base rule.
        regularizer, at: what regularises and where, or None.
        update: the pure function ``w, *state = update(w, g, *state, **hyper)`` of the regularised parameters.
        groups: `Group` objects, contiguous slices of the flat buffers, as matrices where there are `models`.
        executor: the function that carries an update out.
        models: how many models are trained at once, or None where no number is an array.
        steps_per_epoch: how many steps make an epoch, or None while nobody said; for `describe`.

    t, which corrects the bias of Adam's moments, counts the steps a parameter took part in: a parameter without a
    gradient is untouched and its t does not advance; one whose gradient is zero still decays.

    Many models are trained at once where every parameter has a leading axis of length N, the model: then lr, l2, decay,
    each number in `own` and each coefficient of `regularizer` may be a 1-d array of N numbers. Model i is trained as by
    an optimizer whose numbers are the i-th, to the last bit, in any dtype of the parameters; functions of the step
    multiply all models alike. The loss to differentiate is the sum of the models' losses, of which each model gets its
    own gradient. (An l2 of 0 among others adds 0·w; ``l2=0`` alone adds nothing, which only the sign of a zero shows.)

    Raises:
        TypeError: `params` holds something else; an unknown keyword, among them ``weight_decay``, which is translated;
            a rule that branches on arrays or uses what the tracer does not know, with an executor that is
            emitted ("numpy", "numba", "cuda"), or an array for what it branches on, such as RAdam's beta2, or for what
            a state that is one number depends on, such as NAdam's beta1 (an array takes a rule that can be traced).
        ImportError: executor="numba" where numba is not installed.
        ValueError: no parameters, or one twice; a number out of its range (of an array, the first); arrays that are not
            1-d and of one length, or a parameter without that leading axis; contradictory or impossible regularisation;
            a rule that divides by squared gradients, on float16 in which its eps is 0.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        rule: Rule,
        lr: Scheduled,
        own: Mapping[str, Any] | None = None,
        *,
        l2: Scheduled = 0.0,
        decay: Scheduled = 0.0,
        times: str | None = "schedule",
        on: On | None = None,
        schedule: Schedule | None = None,
        decay_schedule: Schedule | None = None,
        regularizer: Regularizer | None = None,
        at: str | None = None,
        executor: str | Callable[..., Any] = "auto",
        **unknown: Any,
    ):
        if unknown:
            raise TypeError(self._unknown(unknown, lr))
        own = dict(own or {})
        _check_rule(rule, own)
        self.params = _parameters(params)
        self.rule = rule
        self.regularizer, self.at = choose(
            lr, l2=l2, decay=decay, times=times, on=on, decay_schedule=decay_schedule, regularizer=regularizer, at=at
        )
        self._numbers = Hyperparameters(lr, own, schedule, decay_schedule, self.regularizer)
        dtypes = {p.dtype for p in self.params}
        for dtype in dtypes:
            check_fit(self._numbers.constants(), dtype)
        check_second_moment(rule.__name__, self._numbers.own, dtypes)
        self._plain: Step = plain(rule)
        self.update: Step = through(rule, self.regularizer, self.at)
        columns = self._numbers.columns()
        self.models = models.count(columns, self.params)
        if columns:
            models.check_update(rule, self.update, self._names(), columns)
        self.executor = self._executor(executor)
        self.steps = 0
        self.steps_per_epoch: int | None = None
        self._takes_t = "t" in hyper_names(rule)
        selects = self.regularizer.selects if self.regularizer is not None else None
        numbers = {name: as_number(f"the start of {name}", x) for name, x in scalar_state(rule).items()}
        self.groups: list[Group] = lay_out(self.params, selects, len(self._arrays()), numbers, self.models)
        for group in self.groups:
            group.adopt(self)

    def __setattr__(self, name: str, value: Any) -> None:
        numbers = self.__dict__.get("_numbers")  # there once all is decided
        if numbers is not None and (name in _DECIDED or name in numbers.own):
            raise AttributeError(
                f"{name} was decided when this {type(self).__name__} was made, and setting it would change nothing. "
                "What changes from step to step is a function of the step: schedule=, or a function as lr=, l2= or "
                "decay=. Else make a new optimizer, with this one's state: new.load_state_dict(old.state_dict())"
            )
        object.__setattr__(self, name, value)

    def hyper(self, step: int) -> dict[str, Any]:
        """Return the numbers in force at the 0-based `step`, the regulariser's among them; all but t.

        Of what was given as an array, and what depends on it, a `Column` (`minigrad.regularization.column`).

        Raises ValueError or TypeError, naming it, if one is out of its range; ValueError if decay would remove all.
        """
        rule, regularizer = self._numbers.at(step)
        return {**rule, **regularizer}

    def step(self) -> None:
        """Update every parameter that has a gradient, in place.

        Numbers and gradients are checked before anything is written; what the arithmetic makes of them is not known
        then. Where it raises (``np.errstate(over="raise")``), or the executor does, the parameters before have taken
        part in the step, which then counts, and those from there on have not.

        A graph that still needs the old values raises when it is asked for gradients.

        Raises:
            RuntimeError: a newer optimizer took over a parameter, or its `data` was bound to another array.
            TypeError, ValueError: a number is out of its range at this step, or a gradient that was set by hand does
                not fit its parameter.
        """
        recorded = captured.current()
        if recorded is not None and recorded.recording:
            took_part = [p for p in self.params if p.grad is not None]
            if recorded.in_lines:
                self._write_down(recorded, took_part)
                return
            recorded.again(lambda: self._again(took_part, self.executor), self._kept)
            if not isinstance(self.executor, executors.Auto | Fused):
                captured.refuse()
        self._carry_out(self.executor)

    def _carry_out(self, executor: Callable[..., Any]) -> None:
        rule, regularizer = self._numbers.at(self.steps)
        work = []
        for group in self.groups:
            hyper = {**rule, **regularizer} if group.regularised else dict(rule)
            if not self._numbers.fixed:  # those that are were looked at when this was made
                check_fit(hyper, group.weights.dtype)
            work.append((group, hyper, *group.survey(self)))
        made = self.steps + 1
        for group, hyper, present, elsewhere in work:
            group.collect(elsewhere)
            update = self.update if group.regularised else self._plain
            for first, last in group.runs(present):
                numbers = {**hyper, "t": group.t[first] + 1} if self._takes_t else hyper
                following = executor(update, *group.arguments(first, last), numbers)
                group.advance(first, last, following or ())
                # At once: no parameter has taken part in more steps than were made. Past `__setattr__`, which is slow.
                self.__dict__["steps"] = made
        self.__dict__["steps"] = made

    def _again(self, took_part: list[Parameter], executor: Callable[..., Any]) -> None:
        """Make the host's part of a step that was recorded when the parameters `took_part` had a gradient."""
        for p in took_part:
            p.grad = p.grad_home  # where the recorded `backward` writes it
        self._carry_out(executor)

    def _write_down(self, recorded: OnTheHost, took_part: list[Parameter]) -> None:
        """Write a step down in a program of NumPy's calls: the update's own lines if it is small, or its executor."""
        for i, p in enumerate(took_part):
            recorded.write(p.grad_home, p.grad)
            recorded.name(p.grad_home, f"grad{i}")
        with recorded.paused():
            for i, p in enumerate(took_part):
                recorded.name(p.data, f"{p.role}{i}")
        lines, taken = Inlined(state_names(self.rule)), []

        def look(*update: Any) -> tuple[Any, ...]:
            taken.append(lines.takes(*update))
            return tuple(x for x in update[3] if not is_array(x))

        with recorded.paused():
            restore = self._kept()
            try:
                self._again(took_part, look)
            finally:
                restore()

        def next_numbers() -> None:
            """Count the step, and put its numbers where the lines below read them."""
            self._again(took_part, lines)

        def update() -> None:
            """Update all parameters, by the optimizer's executor."""
            self._again(took_part, self.executor)

        inline = all(taken) and not isinstance(self.executor, Compiled)
        recorded.do(next_numbers if inline else update)
        if inline:
            lines.write_down(recorded.name)

    def _kept(self) -> Callable[[], None]:
        """Return a function that puts back what a step changes on the host."""
        steps, parts = self.steps, [group.kept() for group in self.groups]

        def restore() -> None:
            self.steps = steps
            for part in parts:
                part()

        return restore

    def zero_grad(self) -> None:
        """Forget all gradients: ``p.grad = None``.

        ``p.grad`` is a view into the gradient buffer of this optimizer, which the next `backward` writes anew: a
        reference to it that was kept then shows the new gradient. To keep a gradient, copy it.
        """
        for p in self.params:
            p.grad = None

    # --- saving ---------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs beside the parameters and the arguments of this optimizer.

        ``"rule"`` (a name), ``"step"`` (an integer), ``"t"`` (a list of integers, one per parameter), and any state
        that is one number, such as ``"mu_product"`` (a list of numbers, one per parameter), go into JSON as they are;
        ``"m.0"``, the state m of parameter 0, and so on are arrays on the host, copies.
        """
        t = [0] * len(self.params)
        numbers: dict[str, list[Any]] = {name: [0] * len(self.params) for name in scalar_state(self.rule)}
        arrays: dict[str, Any] = {}
        for group in self.groups:
            for place, count in zip(group.places, group.t, strict=True):
                t[place] = count
            for name, values in group.numbers.items():
                for place, value in zip(group.places, values, strict=True):
                    numbers[name][place] = value
            for name, flat in zip(self._arrays(), group.state, strict=True):
                for place, part in zip(group.places, group.split(flat), strict=True):
                    arrays[f"{name}.{place}"] = backend.to_host(part).copy()
        return {"rule": self.rule.__name__, "step": self.steps, "t": t, **numbers, **arrays}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`. Everything is checked before anything is written.

        Raises:
            KeyError: an entry is missing, or one is there that this optimizer does not have.
            ValueError: it was saved by another rule, or numbers or shapes do not fit.
            TypeError: an array has another dtype, or is none; `saved` is no dict.
        """
        if not isinstance(saved, Mapping):
            raise TypeError(f"expected a dict, as state_dict() returns it, got {type(saved).__name__}")
        expected = self.state_dict()
        missing, extra = expected.keys() - saved.keys(), saved.keys() - expected.keys()
        if saved.get("rule", self.rule.__name__) != self.rule.__name__:
            raise ValueError(f"this state was saved by the rule {saved['rule']!r}, not by {self.rule.__name__!r}")
        if missing or extra:
            raise KeyError(f"optimizer state: missing {sorted(missing)}, unexpected {sorted(extra)}")
        steps = integer("step", saved["step"], least=0)
        t = [integer("t", count, least=0) for count in saved["t"]]
        if len(t) != len(self.params) or any(count > steps for count in t):
            raise ValueError(f"t must be {len(self.params)} counts of at most step = {steps}, got {saved['t']!r}")
        numbers = {name: self._checked_numbers(name, saved[name]) for name in scalar_state(self.rule)}
        for name in expected.keys() - {"rule", "step", "t", *numbers}:
            if not hasattr(saved[name], "shape") or not hasattr(saved[name], "dtype"):
                raise TypeError(f"{name} must be an array, got {type(saved[name]).__name__}")
            if saved[name].shape != expected[name].shape:
                raise ValueError(f"{name} must have shape {expected[name].shape}, got {saved[name].shape}")
            if saved[name].dtype != expected[name].dtype:
                raise TypeError(f"{name} must have dtype {expected[name].dtype}, got {saved[name].dtype}")
        for group in self.groups:
            group.t = [t[place] for place in group.places]
            group.numbers = {name: [values[place] for place in group.places] for name, values in numbers.items()}
            group.forget_runs()
            for name, flat in zip(self._arrays(), group.state, strict=True):
                for place, part in zip(group.places, group.split(flat), strict=True):
                    part[...] = backend.namespace(part).asarray(saved[f"{name}.{place}"])
        self.steps = steps

    def _checked_numbers(self, name: str, saved: Any) -> list[Any]:
        if not isinstance(saved, list) or len(saved) != len(self.params):
            raise ValueError(f"{name} must be a list of {len(self.params)} numbers, got {saved!r}")
        return [as_number(name, x) for x in saved]

    def _arrays(self) -> tuple[str, ...]:
        """Return the names of the state that is arrays."""
        return tuple(name for name in state_names(self.rule) if name not in scalar_state(self.rule))

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} cannot be copied or pickled, since its parameters are those of one model: make a "
            "new optimizer on the copied model, and give it this one's state: new.load_state_dict(old.state_dict())"
        )

    # --- in words -------------------------------------------------------------------------------------------------

    def describe(self, steps_per_epoch: int | None = None) -> str:
        """Return what is regularised, by how much per step, and the time scale 1/η in steps.

        Warns (UserWarning) when the decay of one epoch, from the next step on, adds up to more than 1: with a
        constant η, when 1/η is shorter than an epoch. `steps_per_epoch` is remembered for the next time, and for
        ``print``.
        """
        if steps_per_epoch is not None:
            self.steps_per_epoch = integer("steps_per_epoch", steps_per_epoch)
        complaint = report.too_fast(self)
        if complaint:
            warnings.warn(complaint, UserWarning, stacklevel=2)
        return report.text(self)

    def __str__(self) -> str:
        return self.describe()

    def __repr__(self) -> str:
        return report.text(self)

    def _names(self) -> tuple[str, ...]:
        """Return the names of the numbers that `update` takes."""
        coefficients = {"decay": 0} if self.at == "shrink" else getattr(self.regularizer, "coefficients", {})
        return (*hyper_names(self.rule), *coefficients)

    # --- executors ---------------------------------------------------------------------------------------------------

    def _executor(self, chosen: Any) -> Callable[..., Any]:
        """Return the executor that was named or given; one that was named must be able to run this update."""
        if callable(chosen):
            return chosen  # type: ignore[no-any-return]
        on_host = all(isinstance(p.data, np.ndarray) for p in self.params)
        most = sum(p.size for p in self.params) if on_host else None
        found = executors.executor(chosen, state_names(self.rule), most)
        if isinstance(found, Emitted):
            found.prepare(self._plain, hyper_names(self.rule), tuple(scalar_state(self.rule)))
            found.prepare(self.update, self._names(), tuple(scalar_state(self.rule)))
        return found

    # --- refusals -------------------------------------------------------------------------------------------------

    _couples: ClassVar[str] = ""  # the optimizer that has l2=, where this one has decay= alone
    _couples_by: ClassVar[str] = ""  # what else must be said to it, to make it the same rule

    def _unknown(self, unknown: Mapping[str, Any], lr: Any) -> str:
        name = type(self).__name__
        if "weight_decay" in unknown:
            return translate(name, lr, unknown["weight_decay"], self._couples or name, self._couples_by)
        word = next(iter(unknown))
        own = [p.name for p in inspect.signature(type(self)).parameters.values() if p.kind not in (p.VAR_KEYWORD,)]
        known = [w for w in (*own, *Options.__annotations__) if w not in self._withheld()]
        near = difflib.get_close_matches(word, known, n=1)
        hint = f"did you mean {near[0]}=?" if near else f"it takes {', '.join(dict.fromkeys(known))}"
        return f"{name} has no argument {word!r}; {hint}"

    def _withheld(self) -> tuple[str, ...]:
        """Return the common keywords that this optimizer does not take."""
        return ("l2", "regularizer", "at") if self._couples else ()

    def _decay_alone(self, options: Mapping[str, Any]) -> None:
        """Raise TypeError if `options` ask an optimizer that is decoupled by name for anything else."""
        for word in self._withheld():
            if word in options:
                raise TypeError(
                    f"{type(self).__name__} has no argument {word!r}: by its name it decouples, with decay=. Use "
                    f"{self._couples}, which has {word}="
                )


def _parameters(params: Any) -> list[Parameter]:
    found = listed(params, "optimize")
    seen: dict[int, int] = {}
    for i, p in enumerate(found):
        if not isinstance(p, Parameter):
            hint = "; wrap its array: mg.nn.Parameter(array)" if hasattr(p, "requires_grad") else ""
            hint = "; groups are chosen by on=, not by dictionaries" if isinstance(p, Mapping) else hint
            hint = "; leave the names out" if isinstance(p, tuple) else hint
            raise TypeError(f"{EXPECTED}, got {type(p).__name__} at position {i}{hint}")
        if id(p) in seen:
            raise ValueError(f"the parameter of shape {p.shape} is given twice, at positions {seen[id(p)]} and {i}")
        seen[id(p)] = i
    return found


def _check_rule(rule: Any, own: Mapping[str, Any]) -> None:
    if not callable(rule):
        raise TypeError(f"rule must be a function (minigrad.rules), got {rule!r}")
    if not hasattr(rule, "__name__"):
        raise TypeError(
            "rule must be a function with a name, by which its states are saved and reports call it: "
            f"def my_rule(g, *, lr): ..., got {rule!r}"
        )
    wanted = set(hyper_names(rule)) - {"lr", "t"}
    if "lr" not in hyper_names(rule):
        raise TypeError(f"the rule {rule.__name__} must have a keyword argument lr")
    if wanted != own.keys():
        raise TypeError(f"the rule {rule.__name__} needs {sorted(wanted)} beside lr, got {sorted(own)}")
