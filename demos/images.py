"""32 × 32 colour images in ten classes: CIFAR-10 from local files, or a task that a fixed random network made."""

from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.data import Split

SIDE, CHANNELS, CLASSES = 32, 3, 10
RECORD = 1 + CHANNELS * SIDE * SIDE  # a label, then the red, the green and the blue plane
TRAIN, TEST = [f"data_batch_{i}.bin" for i in range(1, 6)], ["test_batch.bin"]


def cifar(folder, most=None):
    """Return CIFAR-10 from the files of its binary version, images channels last, scaled to [−1, 1].

    Args:
        folder: holds data_batch_1.bin to data_batch_5.bin and test_batch.bin, or a folder cifar-10-batches-bin does.
        most: at most so many images to train on and to test on.

    Raises ValueError where something is not as expected. The pickled version is never opened: to unpickle is to run
    what is in the file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{str(folder)!r} is no folder; expected one with {TRAIN[0]} … {TRAIN[-1]} and {TEST[0]}")
    inner = folder / "cifar-10-batches-bin"
    folder = inner if inner.is_dir() else folder
    if missing := [name for name in TRAIN + TEST if not (folder / name).is_file()]:
        pickled = " (what is there is the pickled version, which is not read)" if _pickled(folder) else ""
        raise ValueError(
            f"{str(folder)!r} lacks {', '.join(missing)}{pickled}; expected the files of CIFAR-10's binary version"
        )
    (x, y), (u, v) = (_read([folder / name for name in names], most) for names in (TRAIN, TEST))
    return Split(x, y, u, v, classes=CLASSES)


def _pickled(folder):
    return (folder / "data_batch_1").exists() or (folder / "cifar-10-batches-py").exists()


def _read(paths, most):
    records = []
    for path in paths:
        raw = np.fromfile(path, np.uint8)
        if not len(raw) or len(raw) % RECORD:
            raise ValueError(
                f"{str(path)!r} has {len(raw)} bytes; expected a multiple of {RECORD}, a label and an image"
            )
        found = raw.reshape(-1, RECORD)
        if found[:, 0].max() >= CLASSES:
            raise ValueError(f"{str(path)!r} has the label {found[:, 0].max()}; expected labels below {CLASSES}")
        records.append(found)
    records = np.concatenate(records)[:most]
    images = records[:, 1:].reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images, np.float32) / 127.5 - 1, records[:, 0].astype(np.int64)


def taught(train, test, seed):
    """Return random images with the labels that a random network gives them; one seed draws all of it.

    An image is coarse noise, each of 8 × 8 cells one colour, with fine noise over it. The teacher is a convolution,
    relu, and a linear layer on means over cells; its logits are standardised, so that no class has all images.
    """
    rng = np.random.default_rng(seed)
    n = train + test
    coarse = rng.standard_normal((n, 8, 8, CHANNELS), dtype=np.float32)
    images = coarse.repeat(4, axis=1).repeat(4, axis=2)
    images = np.float32(0.5) * images + np.float32(0.1) * rng.standard_normal(images.shape, dtype=np.float32)
    teacher = nn.Sequential(
        nn.Conv2d(CHANNELS, 8, 3, rng=rng, padding=1), nn.ReLU(), nn.AvgPool2d(16), nn.Flatten(),
        nn.Linear(2 * 2 * 8, CLASSES, rng=rng),
    )  # fmt: skip
    with mg.no_grad():
        logits = np.concatenate([teacher(images[i : i + 256]).numpy() for i in range(0, n, 256)])
    labels = ((logits - logits.mean(axis=0)) / logits.std(axis=0)).argmax(axis=1)
    return Split(images[:train], labels[:train], images[train:], labels[train:], classes=CLASSES)


def network(widths, seed):
    """Return the network that is trained: a 3 × 3 convolution, relu and pooling for every width, a linear layer."""
    rng = np.random.default_rng([seed, 1])
    layers, inputs, side = [], CHANNELS, SIDE
    for width in widths:
        layers += [nn.Conv2d(inputs, width, 3, rng=rng, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        inputs, side = width, side // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(side * side * inputs, CLASSES, rng=rng))
