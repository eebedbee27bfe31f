"""torch's part of the bench on a GPU: what can be run without one. Its device is made up, and does nothing."""

import contextlib
import types

import pytest

from minigrad.lab.bench import clock, engine, step, update
from minigrad.lab.bench.contenders import judge, of_torch
from minigrad.lab.bench.job import SkippedError
from minigrad.lab.bench.turns import _off

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]


class Event:
    def __init__(self, enable_timing=False):
        assert enable_timing

    def record(self):
        self.at = clock.time.perf_counter()

    def elapsed_time(self, other):
        return 1000 * (other.at - self.at)


@pytest.fixture
def made_up(monkeypatch):
    """A GPU for torch whose work is done by the host; what it was asked for."""
    said = []
    for name, value in (
        ("is_available", lambda: True), ("Event", Event), ("synchronize", lambda: said.append("synchronize")),
        ("empty_cache", lambda: said.append("empty_cache")),
    ):  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(of_torch, "device", lambda task: "cpu")
    switches = [(torch.backends.cuda.matmul, "allow_tf32")]
    switches += [(torch.backends.cudnn, name) for name in ("allow_tf32", "enabled", "benchmark")]
    before = [(owner, name, getattr(owner, name)) for owner, name in switches]
    yield said
    for owner, name, value in before:
        setattr(owner, name, value)


CNN = step._cnn(4, 8, 2, 3, 4).on("cupy")


@pytest.mark.parametrize("name", ["torch", "torch-foreach", "torch-fused", "torch-channels-last", "torch-no-cudnn"])
def test_eager_steps_are_checked_and_timed_between_events(name, made_up):
    job = of_torch.make(name, CNN.task)
    assert _off(job.values, judge.make("judge", CNN.task).values, CNN) <= 1
    found = clock.timed(job, 12, 1)
    assert len(found.seconds) == 10
    assert found.host > 0
    assert "synchronize" in made_up
    job.close()
    assert made_up[-1] == "empty_cache"


def test_float32_is_not_rounded_and_cudnn_is_left_out_where_it_is_to_be(made_up):
    of_torch.make("torch-fused", CNN.task)
    assert torch.backends.cudnn.enabled
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    of_torch.make("torch-no-cudnn", CNN.task)
    assert not torch.backends.cudnn.enabled


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["torch", "torch-foreach", "torch-fused"])
def test_updates_are_checked_and_timed_between_events(name, dtype, made_up):
    case = update._on_a_device("adam_decay", 2, 100, dtype)
    job = of_torch.make(name, case.task)
    assert _off(job.values, judge.make("judge", case.task).values, case) <= 1
    assert clock.timed(job, 12, 1).wall > 0


def test_graphs_are_checked(made_up):
    case = engine._case("multiply tree", 10).on("cupy")
    assert _off(of_torch.make("torch", case.task).values, judge.make("judge", case.task).values, case) <= 1


def test_without_images_there_is_nothing_for_channels_or_cudnn(made_up):
    for name in ("torch-channels-last", "torch-no-cudnn"):
        with pytest.raises(SkippedError, match="no images"):
            of_torch.make(name, step.mlp(6, 7, 10).on("cupy").task)


def test_the_optimizer_of_the_graph_is_fused_and_capturable_and_torch_takes_both():
    assert of_torch._how("torch-graphs") == {"fused": True, "capturable": True}
    torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], **of_torch._how("torch-graphs"))


class Recorder:
    """CUDA graphs: the function runs once while it is recorded, and a replay runs what `again` says."""

    def __init__(self, again):
        self.said = []
        self.again = again

    def Stream(self):
        return types.SimpleNamespace(wait_stream=lambda other: None)

    current_stream = Stream

    @contextlib.contextmanager
    def stream(self, stream):
        self.said.append("aside")
        yield

    def CUDAGraph(self):
        return types.SimpleNamespace(replay=lambda: self.said.append("replay") or self.again())

    @contextlib.contextmanager
    def graph(self, graph):
        self.said.append("record")
        yield


def test_a_graph_is_warmed_up_aside_recorded_once_and_replayed_on_its_own_copies_of_what_it_is_given():
    seen = []
    cuda = Recorder(lambda: graphed.result.copy_(graphed.own[0] * 10))
    ten = torch.tensor(10.0, requires_grad=True)
    graphed = of_torch.Graphed(types.SimpleNamespace(cuda=cuda), lambda x: seen.append(x.clone()) or x * ten)
    given = [torch.tensor([float(k)]) for k in range(6)]
    found = []
    for x in given:
        y = graphed(x)
        assert not y.requires_grad
        found.append(y.item())
    assert found == [10.0 * k for k in range(6)]
    assert cuda.said == ["aside"] * of_torch.WARM + ["record", "replay", "replay", "replay"]
    assert len(seen) == of_torch.WARM + 1
    assert given[3].item() == 3.0
    assert graphed.own[0] is not given[3]
