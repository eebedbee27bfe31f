"""Invented contenders: each does a tiny piece of work, and most do something wrong besides."""

import os
import time

from minigrad.lab.bench.job import Job, SkippedError

VALUES = [1.0, 2.0]


def make(name, task):
    kind = name.removeprefix("minigrad-")
    if kind == "dies-early":
        os._exit(3)
    if kind == "skips":
        raise SkippedError("the moon is full")
    if kind == "raises":
        raise ZeroDivisionError("no such λ in /home/somebody/secret/place.py")
    if kind == "wrong":
        return Job(lambda: os._exit(4), [1.0, 2.1])
    if kind == "nan":
        return Job(lambda: os._exit(4), [1.0, float("nan")])
    if kind == "short":
        return Job(lambda: os._exit(4), [1.0])
    if kind == "silent":
        return Job(lambda: time.sleep(60), VALUES)
    if kind == "dies":
        return Job(dying(), VALUES)
    if kind == "prints":
        print("I garble what is answered")
    if kind == "threads":
        return Job(lambda: 1e-3, VALUES, {name: os.environ[name] for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")})
    return Job(lambda: task["clock"].get(name, 1e-3), VALUES, {"process": os.getpid()})


def dying():
    left = iter(range(2))

    def repeat():
        if next(left, None) is None:
            os.write(2, b"Traceback\nRuntimeError: it was too much for /opt/secret/place.py\n")
            os.abort()
        return 1e-2

    return repeat
