import subprocess
import sys

import numpy as np
import pytest

import minigrad as mg


def test_the_split_is_fixed_disjoint_and_complete():
    a, b = mg.data.digits(), mg.data.digits()
    assert np.array_equal(a.test_images, b.test_images)
    assert len(a.train_labels) + len(a.test_labels) == 1797
    assert not np.array_equal(a.test_images, mg.data.digits(seed=1).test_images)
    everything = np.concatenate([a.train_images, a.test_images])
    from sklearn.datasets import load_digits

    theirs = load_digits().data / 16
    order = np.lexsort(everything.T)
    assert np.array_equal(everything[order], theirs[np.lexsort(theirs.T)].astype(np.float32))


def test_every_digit_has_the_same_share_in_the_test_part():
    split = mg.data.digits(test=0.25)
    for digit in range(10):
        test, train = (split.test_labels == digit).sum(), (split.train_labels == digit).sum()
        assert abs(test - 0.25 * (test + train)) <= 0.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_images_are_scaled_to_the_unit_interval_in_the_dtype_asked_for(dtype):
    flat, image = mg.data.digits(dtype), mg.data.digits(dtype, flat=False)
    assert flat.train_images.dtype == dtype
    assert flat.train_images.min() == 0
    assert flat.train_images.max() == 1
    assert flat.train_images.shape[1:] == (64,)
    assert image.train_images.shape[1:] == (8, 8, 1)
    assert np.array_equal(image.train_images.reshape(-1, 64), flat.train_images)


@pytest.mark.parametrize("share", [0, 1, -1, float("nan")])
def test_a_share_outside_zero_to_one_is_refused(share):
    with pytest.raises(ValueError, match="test must lie in"):
        mg.data.digits(test=share)


def test_without_scikit_learn_the_error_names_the_extra():
    code = (
        "import sys; sys.modules['sklearn'] = sys.modules['sklearn.datasets'] = None\n"
        "import minigrad as mg\n"
        "try: mg.data.digits()\n"
        "except ImportError as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ".[lab]" in done.stdout
