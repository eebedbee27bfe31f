"""What is refused, with which error, and what the message names."""

import numpy as np
import pytest

import minigrad as mg


def zeros(*shape):
    return mg.tensor(np.zeros(shape), requires_grad=True)


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda: zeros(2, 3) + zeros(4), ValueError, r"add of \(2, 3\), \(4,\): .*broadcast"),
        (lambda: mg.where(zeros(2).data > 0, zeros(3), 0), ValueError, r"where of \(2,\), \(3,\), 0"),
        (lambda: mg.matmul(zeros(2, 3), zeros(2, 3)), ValueError, r"matmul of \(2, 3\), \(2, 3\)"),
        (lambda: mg.linear(zeros(2, 3), zeros(4, 5)), ValueError, r"linear of \(2, 3\), \(4, 5\)"),
        (lambda: mg.linear(zeros(2, 3), zeros(3)), ValueError, r"weight must have shape \(inputs, outputs\), got \(3,"),
        (lambda: mg.einsum("ij,jk", zeros(2, 3), zeros(2, 3)), ValueError, r"einsum of \(2, 3\), \(2, 3\)"),
        (lambda: mg.einsum("ij,jk", zeros(2, 3)), ValueError, r"einsum of \(2, 3\)"),
        (lambda: mg.reshape(zeros(2, 3), (4,)), ValueError, r"reshape of \(2, 3\)"),
        (lambda: mg.broadcast_to(zeros(2, 3), (3, 2)), ValueError, r"broadcast_to of \(2, 3\)"),
        (lambda: mg.concatenate([zeros(2, 3), zeros(2, 4)]), ValueError, r"concatenate of \(2, 3\), \(2, 4\)"),
        (lambda: mg.concatenate([]), ValueError, "concatenate of"),
        (lambda: zeros(2)[5], IndexError, r"getitem of \(2,\): index 5 is out of bounds"),
        (lambda: mg.sum(zeros(2), axis=1), IndexError, r"sum of \(2,\): axis 1 is out of bounds"),
        (lambda: mg.mse(zeros(3, 1), zeros(3)), ValueError, r"target must have the shape of prediction, \(3, 1\), got"),
        (lambda: mg.mse(zeros(3), 1), ValueError, r"target must have the shape of prediction, \(3,\), got \(\)"),
        (
            lambda: mg.binary_cross_entropy_with_logits(zeros(3, 1), zeros(3)),
            ValueError,
            r"targets must have the shape of logits, \(3, 1\), got \(3,\)",
        ),
        (lambda: mg.cross_entropy(zeros(2, 3), np.array([0, 3])), ValueError, "label 3 is out of range: there are 3"),
        (lambda: mg.cross_entropy(zeros(2, 3), np.array([-1, 0])), ValueError, "label -1 is out of range"),
        (lambda: mg.cross_entropy(zeros(2, 3), mg.tensor([0, 3])), ValueError, "label 3 is out of range"),
        (lambda: mg.cross_entropy(zeros(2, 3), [0, 3]), ValueError, "label 3 is out of range"),
        (lambda: mg.cross_entropy(zeros(2, 3), np.array([0])), ValueError, r"have shape \(2,\), got \(1,\)"),
        (lambda: mg.cross_entropy(zeros(2, 3), zeros(2)), ValueError, r"probabilities of shape \(2, 3\), got float64"),
        (lambda: mg.conv2d(zeros(1, 5, 5), zeros(3, 3, 1, 1)), ValueError, r"conv2d of .*x must have shape \(N, H, W"),
        (lambda: mg.conv2d(zeros(1, 5, 5, 2), zeros(3, 3, 1, 1)), ValueError, "with the same C"),
        (lambda: mg.conv2d(zeros(1, 2, 5, 1), zeros(3, 3, 1, 1)), ValueError, r"window of \(3, 3\) does not fit"),
        (lambda: mg.conv2d(zeros(1, 5, 5, 1), zeros(3, 3, 1, 1), stride=0), ValueError, "stride must be an integer of"),
        (lambda: mg.conv2d(zeros(1, 5, 5, 1), zeros(3, 3, 1, 1), padding=(1, -1)), ValueError, "padding must be"),
        (lambda: mg.max_pool2d(zeros(1, 5, 5)), ValueError, r"max_pool2d of .*images have shape \(N, H, W, C\)"),
        (lambda: mg.avg_pool2d(zeros(1, 5, 5, 1), 6), ValueError, r"avg_pool2d of .*window of \(6, 6\) does not fit"),
        (lambda: mg.avg_pool2d(zeros(1, 5, 5, 1), 1.5), ValueError, "size must be an integer"),
        (lambda: mg.max_pool2d(zeros(1, 5, 2, 1), (2, 3)), ValueError, r"does not fit .*height and width \(5, 2\)"),
        (lambda: mg.max_pool2d(zeros(1, 2, 5, 1), (3, 2)), ValueError, r"does not fit .*height and width \(2, 5\)"),
        (lambda: mg.max_pool2d(zeros(1, 5, 5, 1), 0), ValueError, "size must be an integer of at least 1"),
        (lambda: mg.max_pool2d(zeros(1, 5, 5, 1), 2, (1, 0)), ValueError, "stride must be an integer of at least 1"),
        (lambda: mg.batch_norm(zeros(4, 3), zeros(4), zeros(3)), ValueError, r"scale and bias must have shape \(3,\)"),
        (lambda: mg.layer_norm(zeros(4, 1), zeros(3), zeros(1)), ValueError, r"scale and bias must have shape \(1,\)"),
        (lambda: mg.dropout(zeros(4), 1, (0, 0), 0), ValueError, r"rate, .*must lie in \[0, 1\), got 1"),
        (lambda: mg.dropout(zeros(4), float("nan"), (0, 0), 0), ValueError, r"must lie in \[0, 1\), got nan"),
        (lambda: mg.dropout(zeros(4), 0.5, (0, 2**32), 0), ValueError, "a key is two integers"),
        (lambda: mg.dropout(zeros(4), 0.5, (0, 0), -1), ValueError, "step must be an integer"),
        (lambda: mg.reshape(zeros(4)), TypeError, r"reshape misses its argument shape"),
        (lambda: mg.sum(zeros(4), axes=0), TypeError, "axes"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(f, error, message):
    with pytest.raises(error, match=message):
        f()


@pytest.mark.parametrize("kind", ["i2", "i4", "i8", "u2", "u8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_labels_are_read_in_their_own_byte_order(kind, order):
    assert mg.cross_entropy(zeros(3, 10), np.array([0, 1, 9], order + kind)).item() == pytest.approx(np.log(10))
    with pytest.raises(ValueError, match="label 10 is out of range: there are 10 classes"):
        mg.cross_entropy(zeros(3, 10), np.array([0, 10, 9], order + kind))
    if kind[0] == "i":
        with pytest.raises(ValueError, match="label -1 is out of range"):
            mg.cross_entropy(zeros(3, 10), np.array([0, -1, 9], order + kind))


def test_a_constant_takes_no_second_look_at_its_labels():
    # Valid labels of every integer kind pass, and so does a single row.
    for dtype in (np.int8, np.int64, np.uint8):
        mg.cross_entropy(zeros(2, 3), np.array([0, 2], dtype))
    mg.cross_entropy(zeros(3), 2)
    mg.cross_entropy(zeros(3), np.int64(2)).backward()
