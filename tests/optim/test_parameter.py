import copy
import gc
import pickle

import numpy as np
import pytest

from minigrad import optim
from minigrad.nn.parameter import Parameter


def test_a_parameter_copies_its_array_and_requires_gradients():
    array = np.ones(3, np.float32)
    p = Parameter(array)
    array[0] = 7
    assert p.data.tolist() == [1, 1, 1]
    assert p.requires_grad
    assert p.dtype == np.float32
    assert (p.role, p.owner, p.grad_home, p.grad) == ("weight", None, None, None)


def test_an_unknown_role_is_refused_by_name():
    with pytest.raises(ValueError, match="role must be one of weight, bias, scale, got 'kernel'"):
        Parameter(np.ones(2), role="kernel")


def test_integers_are_refused():
    with pytest.raises(TypeError, match="dtype int"):
        Parameter([1, 2])


def test_a_copy_is_a_parameter_of_its_own():
    p = Parameter(np.arange(3.0), role="bias")
    optim.SGD([p], lr=0.1)
    q = copy.deepcopy(p)
    assert (q.role, q.owner, q.grad_home) == ("bias", None, None)
    assert q.data.tolist() == [0, 1, 2]
    assert not np.shares_memory(q.data, p.data)


def test_a_parameter_does_not_keep_a_discarded_optimizer_alive():
    p = Parameter(np.ones(2))
    optimizer = optim.Adam([p])
    assert p.owner is optimizer
    gc.disable()
    try:
        del optimizer
        assert p.owner is None
    finally:
        gc.enable()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
@pytest.mark.parametrize("trained", [True, False])
def test_a_copy_of_a_frozen_parameter_is_frozen(copied, trained):
    p = Parameter(np.ones(2), role="scale")
    p.requires_grad = trained
    q = copied(p)
    assert (q.requires_grad, q.role, q.data.tolist()) == (trained, "scale", [1, 1])
