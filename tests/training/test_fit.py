import io
import json
import math
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.data import Batches
from minigrad.optim import SGD, Adam
from minigrad.regularization import L1, L2, Decay
from minigrad.training import History, evaluate, fit, load_checkpoint, progress, save_checkpoint, weights

pytestmark = pytest.mark.device

RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 6)).astype(np.float32)
Y = (X[:, :3].argmax(axis=1)).astype(np.int64)


def network(seed=0, rate=0.3):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Linear(6, 16, rng=rng), nn.BatchNorm(16), nn.ReLU(), nn.Dropout(rate, rng=rng), nn.Linear(16, 3, rng=rng)
    )


def run(optimizer=lambda p: SGD(p, lr=0.1, momentum=0.9, decay=1e-3), seed=0):
    model = network(seed)
    return model, optimizer(model.parameters()), Batches(X, Y, 8, seed=seed, classes=3)


def quiet(model, optimizer, batches, **options):
    return fit(model, optimizer, batches, **({"epochs": 3, "progress": False} | options))


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def everything(model, optimizer, batches):
    state = {k: v for k, v in optimizer.state_dict().items() if isinstance(v, np.ndarray)}
    return model.state_dict() | {f"optimizer.{k}": v for k, v in state.items()} | {"steps": optimizer.steps}


# --- the loop ---------------------------------------------------------------------------------------------------------


def test_a_run_is_the_loop_written_out():
    model, optimizer, batches = run()
    history = quiet(model, optimizer, batches, epochs=2, penalty=L2(0.1), log_every=1)
    other, again, data = run()
    losses, penalties = [], []
    for _ in range(2):
        for x, y in data:
            again.zero_grad()
            loss, omega = mg.cross_entropy(other(x), y), L2(0.1)(other.parameters())
            (loss + omega).backward()
            again.step()
            losses.append(loss.item())
            penalties.append(omega.item())
    assert same(everything(model, optimizer, batches), everything(other, again, data))
    assert [r["data_loss"] for r in history.steps] == losses
    assert [r["penalty"] for r in history.steps] == penalties


@pytest.mark.host
def test_on_numpy_a_captured_run_is_the_run_and_a_coefficient_that_a_gpu_would_freeze_is_refused_too():
    one, other = run(), run()
    quiet(*one, penalty=L2(0.1), capture=True)
    quiet(*other, penalty=L2(0.1))
    assert same(everything(*one), everything(*other))
    with pytest.raises(ValueError, match="would freeze the coefficient"):
        quiet(*run(), penalty=L2(lambda k: 0.1), capture=True)


def test_the_model_learns_and_its_accuracy_on_test_data_says_so():
    model, optimizer, batches = run()
    history = quiet(model, optimizer, batches, epochs=20, test=(X, Y))
    majority = np.bincount(Y).max() / len(Y)  # and five standard deviations of a share of 50
    assert history.epochs[-1]["test_accuracy"] > majority + 5 * math.sqrt(0.25 / len(Y))
    assert history.epochs[-1]["data_loss"] < history.epochs[0]["data_loss"]


def test_the_mean_over_an_epoch_weighs_the_short_last_batch_by_its_length():
    model = nn.Linear(6, 3, rng=np.random.default_rng(0))
    batches = Batches(X, Y, 8, seed=0, classes=3)
    history = quiet(model, SGD(model.parameters(), lr=0.0), batches, epochs=1, test=(X, Y))
    loss, accuracy = evaluate(model, X, Y, batch_size=7)
    epoch = history.epochs[0]
    assert epoch["data_loss"] == pytest.approx(loss, rel=1e-6)
    assert epoch["test_loss"] == pytest.approx(loss, rel=1e-6)
    assert epoch["accuracy"] == epoch["test_accuracy"] == accuracy
    assert accuracy == (model(mg.tensor(X)).numpy().argmax(axis=1) == Y).mean()


def test_where_an_example_has_several_labels_accuracy_is_their_share_and_the_loss_their_mean():
    x = np.stack([X, -X], axis=1)  # (50, 2, 6)
    y = np.where(np.arange(2) == 0, Y[:, None], 0)
    model = nn.Linear(6, 3, rng=np.random.default_rng(0))
    batches = Batches(x, y, 8, seed=0, classes=3)
    record = quiet(model, SGD(model.parameters(), lr=0.0), batches, epochs=1, test=(x, y)).epochs[0]
    logits = model(mg.tensor(x))
    assert record["accuracy"] == record["test_accuracy"] == (logits.numpy().argmax(axis=-1) == y).mean()
    loss = mg.cross_entropy(logits, mg.tensor(y).data).item()
    assert record["test_loss"] == pytest.approx(loss, rel=1e-6)
    assert record["data_loss"] == pytest.approx(loss, rel=1e-6)


def test_the_mean_loss_of_many_examples_in_float16_is_no_infinity():
    x = np.zeros((40_000, 1), np.float16)
    model = nn.Linear(1, 10, rng=np.random.default_rng(0), dtype=np.float16)
    loss, _ = evaluate(model, x, np.zeros(len(x), int), batch_size=len(x))
    assert loss == pytest.approx(math.log(10), rel=2**-9)  # which is rounded to float16, and so is the logarithm


def test_history_is_json_with_a_record_per_epoch_and_per_log_every_steps():
    model, optimizer, batches = run()
    history = quiet(model, optimizer, batches, log_every=5, test=(X, Y), penalty=L1(0.01))
    assert [r["step"] for r in history.steps] == [5, 10, 15, 20]
    assert [r["step"] for r in history.epochs] == [7, 14, 21]
    assert [r["epoch"] for r in history.epochs] == [1, 2, 3]
    assert history.steps[1]["epoch"] == pytest.approx(10 / 7)
    again = History(**json.loads(json.dumps(vars(history))))
    assert again == history
    weights = [p.data for p in model.parameters() if p.role == "weight"]
    norm = math.sqrt(sum((w.astype(float) ** 2).sum() for w in weights))
    assert history.epochs[-1]["norm"] == pytest.approx(norm, rel=1e-12)


def test_the_penalty_is_never_part_of_the_data_loss():
    frozen = {"epochs": 1, "log_every": 1}
    bare, with_penalty = run(lambda p: SGD(p, lr=0.0)), run(lambda p: SGD(p, lr=0.0))
    a, b = quiet(*bare, **frozen), quiet(*with_penalty, **frozen, penalty=L2(100.0))
    assert [r["data_loss"] for r in a.steps] == [r["data_loss"] for r in b.steps]
    assert all(r["penalty"] == 0 for r in a.steps)
    assert all(r["penalty"] > 100 for r in b.steps)


def test_a_penalty_may_depend_on_the_step_or_be_any_function():
    seen = []

    def coefficient(step):
        seen.append(step)
        return 0.1 / (1 + step)

    quiet(*run(), epochs=1, penalty=L2(coefficient))
    assert sorted(set(seen)) == list(range(7)), "the 0-based number of every step"
    history = quiet(*run(), epochs=1, log_every=1, penalty=lambda params: sum((p * p).sum() for p in params) * 0.5)
    assert history.steps[0]["penalty"] > 0


def test_modes_are_training_in_steps_evaluation_on_test_data_and_then_as_before():
    model, optimizer, batches = run()
    model.eval()
    seen = []
    model.layers.append(lambda x: (seen.append((len(x.data), model.training, x.requires_grad)), x)[1])
    quiet(model, optimizer, batches, epochs=1, test=(X, Y))
    assert seen == [(8, True, True)] * 6 + [(2, True, True), (50, False, False)]
    assert not model.training


def test_evaluation_changes_neither_weights_nor_buffers():
    model, *_ = run()
    before = model.state_dict()
    evaluate(model, X, Y)
    assert same(model.state_dict(), before)
    assert model.training


def test_regression_has_a_loss_and_no_accuracy():
    model = nn.Linear(6, 1, rng=np.random.default_rng(0))
    batches = Batches(X, X[:, :1], 8, seed=0)
    optimizer = SGD(model.parameters(), lr=0.1)
    history = quiet(model, optimizer, batches, loss=mg.mse, epochs=20, test=(X, X[:, :1]))
    assert history.epochs[-1]["data_loss"] < 1e-3
    assert history.epochs[-1]["accuracy"] is None
    assert history.epochs[-1]["test_accuracy"] is None


def test_nothing_is_read_from_the_device_between_records(monkeypatch):
    model, optimizer, batches = run()
    model.layers[3] = nn.ReLU()
    reads, to_host = [], mg.backend.to_host
    monkeypatch.setattr(mg.backend, "to_host", lambda x: (reads.append(optimizer.steps), to_host(x))[1])
    for name in ("item", "numpy", "__bool__"):
        monkeypatch.setattr(mg.Tensor, name, lambda self: pytest.fail("a tensor was read"))
    quiet(model, optimizer, batches, epochs=2, log_every=5, penalty=L2(0.1), clip_norm=1.0, clip_value=1.0)
    assert reads == [5, 7, 10, 14]


def test_clipping_bounds_what_the_optimizer_is_given():
    seen = []

    def look(state):
        seen.append(math.sqrt(sum((p.grad.astype(float) ** 2).sum() for p in state.optimizer.params)))

    quiet(*run(), epochs=1, clip_norm=0.05, callbacks=look)
    assert max(seen) <= 0.05 * (1 + 1e-6)
    largest = []
    quiet(*run(), epochs=1, clip_value=0.01,
          callbacks=lambda s: largest.append(max(abs(p.grad).max() for p in s.optimizer.params)))  # fmt: skip
    assert max(largest) <= np.float32(0.01)


def test_a_callback_sees_every_step_and_can_stop_the_run():
    steps = []

    def stop(state):
        steps.append((state.step, float(state.data_loss)))
        state.stop = state.step == 4

    model, optimizer, batches = run()
    history = quiet(model, optimizer, batches, callbacks=[stop])
    assert [s for s, _ in steps] == [1, 2, 3, 4]
    assert history.stopped
    assert optimizer.steps == batches.position == 4
    quiet(model, optimizer, batches)
    assert optimizer.steps == 21, "the next call goes on from there"


@pytest.mark.parametrize(("options", "message"), [({"epochs": 0}, "epochs"), ({"log_every": 0}, "log_every")])
def test_counts_below_one_are_refused(options, message):
    with pytest.raises(ValueError, match=f"{message} must be an integer ≥ 1"):
        quiet(*run(), **options)


def test_epochs_that_are_complete_already_are_refused_with_the_way_on():
    trio = run()
    quiet(*trio, epochs=2)
    with pytest.raises(ValueError, match=r"completed 2 epochs already.*pass epochs=4"):
        quiet(*trio, epochs=2)


def test_numpy_integers_count_epochs():
    history = quiet(*run(), epochs=np.int64(2), log_every=np.int64(7))
    assert [len(history.epochs), len(history.steps)] == [2, 2]


def test_an_optimizer_of_another_model_is_refused_before_any_work():
    model, _, batches = run()
    _, other, _ = run()
    with pytest.raises(ValueError, match="no parameter of the optimizer belongs to the model"):
        quiet(model, other, batches)
    assert other.steps == batches.position == 0


def test_an_optimizer_of_a_part_of_the_model_is_welcome():
    model, _, batches = run()
    before = model.state_dict()
    quiet(model, SGD(model.layers[-1].parameters(), lr=0.1), batches, epochs=1)
    after = model.state_dict()
    assert np.array_equal(before["layers.0.weight"], after["layers.0.weight"])
    assert not np.array_equal(before["layers.4.weight"], after["layers.4.weight"])


@pytest.mark.parametrize("penalty", [Decay(0.1), 0.1])
def test_a_penalty_that_is_no_function_is_refused_with_where_decay_belongs(penalty):
    with pytest.raises(TypeError, match="penalty must be a function of the parameters.*to the optimizer: decay="):
        quiet(*run(), penalty=penalty)


@pytest.mark.parametrize("size", [0, -1, 1.5])
def test_an_evaluation_in_batches_of_no_size_is_refused(size):
    model, *_ = run()
    with pytest.raises(ValueError, match="batch_size must be an integer ≥ 1"):
        evaluate(model, X, Y, batch_size=size)


# --- resuming ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 6, 7, 8, 12, 20])
@pytest.mark.parametrize("rule", ["momentum", "adam"])
def test_a_resumed_run_is_bit_identical_to_one_that_was_not_stopped(tmp_path, at, rule):
    def optimizer(params):
        if rule == "adam":
            return Adam(params, lr=lambda step: 0.01 / (1 + step), l2=0.01)
        return SGD(params, lr=0.1, momentum=0.9, decay=1e-3, schedule=lambda step: 1 / (1 + step))

    options = {"penalty": L2(0.01), "clip_norm": 1.0, "test": (X, Y)}

    def checkpoint(state):
        if state.step == at:
            save_checkpoint(tmp_path / "run", state.model, state.optimizer, state.batches)

    whole = run(optimizer)
    history = quiet(*whole, **options, callbacks=checkpoint)
    resumed = run(optimizer, seed=5)
    assert not same(everything(*whole), everything(*resumed))
    load_checkpoint(tmp_path / "run", *resumed)
    assert resumed[1].steps == at
    again = quiet(*resumed, **options)
    assert same(everything(*whole), everything(*resumed))
    assert whole[2].state_dict() == resumed[2].state_dict()
    assert again.epochs[-1]["test_loss"] == history.epochs[-1]["test_loss"]


def test_taking_a_checkpoint_changes_nothing(tmp_path):
    a, b = run(), run()
    quiet(*a)
    quiet(*b, callbacks=lambda s: save_checkpoint(tmp_path / "run", s.model, s.optimizer, s.batches))
    assert same(everything(*a), everything(*b))


@pytest.mark.parametrize("wrong", ["model", "optimizer", "batches"])
def test_a_checkpoint_that_does_not_fit_changes_nothing(tmp_path, wrong):
    trio = run()
    quiet(*trio, epochs=1)
    save_checkpoint(tmp_path / "run", *trio)
    model, optimizer, batches = run(seed=3)
    if wrong == "model":
        model = nn.Sequential(*model.layers[:-1], nn.Linear(16, 4, rng=np.random.default_rng(0)))
    if wrong == "optimizer":
        optimizer = Adam(model.parameters(), lr=0.1)
    if wrong == "batches":
        batches = Batches(X, Y, 9, seed=0)
    before = everything(model, optimizer, batches) | batches.state_dict()
    with pytest.raises((ValueError, TypeError)):
        load_checkpoint(tmp_path / "run", model, optimizer, batches)
    after = everything(model, optimizer, batches) | batches.state_dict()
    assert same(after, before)


def test_weights_and_checkpoints_are_not_mistaken_for_each_other(tmp_path):
    trio = run()
    save_checkpoint(tmp_path / "run", *trio)
    mg.save(tmp_path / "weights", trio[0])
    with pytest.raises(ValueError, match="is a checkpoint"):
        mg.load(tmp_path / "run", trio[0])
    with pytest.raises(ValueError, match="no checkpoint"):
        load_checkpoint(tmp_path / "weights", *trio)


def test_a_run_resumed_at_the_end_of_an_epoch_has_no_record_of_that_epoch(tmp_path):
    def checkpoint(state):
        if state.step == 7:
            save_checkpoint(tmp_path / "run", state.model, state.optimizer, state.batches)

    whole = quiet(*run(), test=(X, Y), callbacks=checkpoint)
    resumed = run(seed=5)
    load_checkpoint(tmp_path / "run", *resumed)
    records = quiet(*resumed, test=(X, Y)).epochs
    assert untimed(records) == untimed(whole.epochs[1:])


def untimed(records):
    return [{k: v for k, v in r.items() if k != "seconds"} for r in records]


def test_a_stop_at_the_last_step_of_an_epoch_keeps_its_record():
    def stop(state):
        state.stop = state.step == 7

    trio = run()
    first = quiet(*trio, test=(X, Y), callbacks=stop)
    second = quiet(*trio, test=(X, Y))
    assert untimed(first.epochs + second.epochs) == untimed(quiet(*run(), test=(X, Y)).epochs)
    assert first.stopped
    assert not second.stopped


def test_a_callback_at_the_last_step_of_an_epoch_sees_its_record():
    seen = []
    quiet(*run(), epochs=2, callbacks=lambda state: seen.append(len(state.history.epochs)))
    assert seen == [0] * 6 + [1] * 7 + [2]


def test_the_record_of_an_epoch_resumed_in_its_middle_says_how_many_examples_it_covers():
    trio = run()
    losses = []

    def stop(state):
        losses.append(float(state.data_loss))
        state.stop = state.step == 4

    quiet(*trio, callbacks=stop)
    records = quiet(*trio, callbacks=lambda state: losses.append(float(state.data_loss))).epochs
    assert [r["examples"] for r in records] == [18, 50, 50]
    rest = (8 * losses[4] + 8 * losses[5] + 2 * losses[6]) / 18
    assert records[0]["data_loss"] == pytest.approx(rest, rel=1e-14)


def test_a_checkpoint_is_refused_by_an_optimizer_of_another_model_or_one_taken_over(tmp_path):
    model, optimizer, batches = run()
    quiet(model, optimizer, batches, epochs=1)
    save_checkpoint(tmp_path / "run", model, optimizer, batches)
    fresh, older, data = run(seed=3)
    before = everything(fresh, older, data)
    with pytest.raises(ValueError, match="no parameter of the optimizer belongs to the model"):
        load_checkpoint(tmp_path / "run", fresh, run()[1], data)
    newer = SGD(fresh.parameters(), lr=0.1, momentum=0.9)
    with pytest.raises(ValueError, match="a newer optimizer took over the parameter"):
        load_checkpoint(tmp_path / "run", fresh, older, data)
    assert same(everything(fresh, older, data), before)
    load_checkpoint(tmp_path / "run", fresh, newer, data)
    assert same(fresh.state_dict(), model.state_dict())


def without(key):
    return lambda tree: tree.pop(key)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("batches"), "run, batches: the checkpoint lacks this part"),
        (without("optimizer"), "run, optimizer: the checkpoint lacks this part"),
        (lambda about: about.update(batches=[1]), "run, batches: this part is no dict"),
        (lambda about: about.update(optimizer="array:x"), "run, optimizer: this part is no dict"),
        (lambda about: about["batches"].pop("generator"), "run, batches: .*lacks generator"),
        (lambda about: about["batches"].update(generator=None), "run, batches: generator must be a dict"),
        (lambda about: about["batches"]["generator"].pop("state"), "run, batches: generator is no state"),
        (lambda about: about["batches"].update(epoch="1"), "run, batches: epoch must be an integer"),
        (lambda about: about["optimizer"].pop("step"), r"run, optimizer: .*missing \['step'\]"),
        (lambda about: about["optimizer"].update(t=3), "run, optimizer: t must be a list"),
        (lambda about: about["optimizer"].update(t=[None]), "run, optimizer: t must be an integer"),
        (lambda about: about["optimizer"].update({key(about): 1.5}), "run, optimizer: .* must be an array, got 1.5"),
        (lambda about: about["optimizer"].update({key(about): "array:x"}), "run, optimizer: .*lacks its array x"),
    ],
)
def test_a_malformed_checkpoint_is_a_value_error_with_path_and_part_and_changes_nothing(tmp_path, damage, message):
    trio = run()
    quiet(*trio, epochs=1)
    save_checkpoint(tmp_path / "run", *trio)
    arrays, about = weights.read(tmp_path / "run")
    damage(about)
    weights.write(tmp_path / "run", arrays, about)
    target = run(seed=3)
    before = everything(*target) | target[2].state_dict()
    with pytest.raises(ValueError, match=message):
        load_checkpoint(tmp_path / "run", *target)
    assert same(everything(*target) | target[2].state_dict(), before)


def key(about):
    return next(name for name in about["optimizer"] if name not in ("rule", "step", "t"))


# --- progress ---------------------------------------------------------------------------------------------------------


def test_without_a_terminal_there_is_one_plain_line_per_epoch(capsys):
    quiet(*run(), progress=True, label="SGD", test=(X, Y))
    lines = capsys.readouterr().out.splitlines()
    assert [line[:14] for line in lines] == ["SGD  epoch 1/3", "SGD  epoch 2/3", "SGD  epoch 3/3"]
    assert all(word in lines[0] for word in ("data loss", "accuracy", "‖w‖"))


def test_quiet_is_quiet(capsys):
    quiet(*run())
    assert capsys.readouterr() == ("", "")


def test_in_a_terminal_a_live_bar_shows_epoch_loss_accuracy_and_norm():
    rich = pytest.importorskip("rich.console")
    out = io.StringIO()
    bar = progress.LiveBar("SGD", rich.Console(file=out, force_terminal=True, width=140))
    quiet(*run(), progress=bar, log_every=1)
    text = out.getvalue()
    assert all(word in text for word in ("SGD", "epoch 3/3", "data loss", "accuracy", "‖w‖"))


def test_a_loop_that_counts_something_else_than_epochs_is_shown_in_its_own_unit(capsys):
    rich = pytest.importorskip("rich.console")
    out = io.StringIO()
    bar = progress.LiveBar("net", rich.Console(file=out, force_terminal=True, width=140), unit="step")
    for show in (bar, progress.PlainLines("net", unit="step")):
        with show:
            show.start(9, 0, 9)
            show.advance(1)
            show.epoch({"epoch": 9, "norm": 1.0})
    assert "net  step 1/9" in out.getvalue()
    assert capsys.readouterr().out == "net  step 9/9  ‖w‖ 1.000\n"


def test_without_rich_a_terminal_gets_plain_lines(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert type(progress.reporter(True)) is progress.PlainLines


def test_a_failing_step_closes_the_progress():
    class Closed(progress.Quiet):
        closed = False

        def close(self):
            self.closed = True

    shown = Closed()

    def fail(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quiet(*run(), progress=shown, callbacks=fail)
    assert shown.closed


def test_a_decay_that_forgets_within_an_epoch_is_warned_of():
    with pytest.warns(UserWarning, match="epoch"):
        quiet(*run(lambda p: SGD(p, lr=0.1, decay=0.5)), epochs=1)
