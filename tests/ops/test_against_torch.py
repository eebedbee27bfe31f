"""Values and gradients against PyTorch's, in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.autodiff import backpropagate
from tests.ops.cases import CASES, Drawn, Source
from tests.ops.test_gradients import leaves

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

# The operands are of order 1 and at most a few hundred roundings, each of at most one unit of the largest entry, meet
# in one result; both sides make them, in different orders.
ROUNDINGS = 1000


def close(ours, theirs):
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape
    scale = max(1.0, float(np.max(np.abs(theirs), initial=0)))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=ROUNDINGS * np.finfo(float).eps * scale)


@pytest.mark.parametrize("case", [c for c in CASES if c.make(Source(0)).torch], ids=str)
@given(data=st.data())
def test_values_and_gradients_are_pytorchs(case, data):
    call = case.make(Drawn(data.draw))
    xs = leaves(call.operands)
    y = call.f(*xs)
    ts = [torch.from_numpy(np.array(x)) for x in call.operands]
    wanted = [t.requires_grad_() for t in ts if t.is_floating_point()]
    z = call.torch(torch, *ts)
    close(y.data, z)
    seed = np.random.default_rng(0).standard_normal(y.shape)
    expected = torch.autograd.grad(z, wanted, torch.from_numpy(np.array(seed)), allow_unused=True)
    ours = [x for x in xs if x.requires_grad]
    found = backpropagate(y, seed, ours) if y.requires_grad else {}
    for x, e in zip(ours, expected, strict=True):
        close(found.get(x, np.zeros(x.shape)), torch.zeros(x.shape) if e is None else e)
