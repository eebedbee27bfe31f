"""Targets are read off the results, and a worse result reaches fewer."""

import pytest

from minigrad.lab.bench.targets import targets


def case(name, facts=None, **seconds):
    fastest = min((s for n, s in seconds.items() if not n.startswith("minigrad")), default=1.0)
    entries = [
        {
            "name": name.replace("_", "-"),
            "status": "timed",
            "seconds": {"median": s},
            "ratio": {"peer": {"median": s / fastest}},
            "facts": {"beyond_numpy": 0.03} if name == "minigrad" else {},
        }
        for name, s in seconds.items()
    ]
    return {"name": name, "facts": facts or {}, "contenders": entries}


def results(**works):
    return {"works": [{"name": name, "cases": cases} for name, cases in works.items()]}


def found(all_results):
    return {target.claim.partition(":")[0]: target for target in targets(all_results)}


def test_a_training_step_counts_by_the_executor_that_does_best():
    timed = {"numpy": 2.0, "jax": 1.0, "minigrad": 3.0, "minigrad_numba": 1.5, "minigrad_captured": 0.9}
    of = found(results(step=[case("mlp", **timed)]))
    assert (of["Training step, eager"].found, of["Training step, eager"].count) == ({"mlp": 1.5}, 0)
    assert (of["Training step, captured"].found, of["Training step, captured"].count) == ({"mlp": 0.9}, 1)


def test_an_update_is_held_against_the_roofline_and_the_expression():
    facts = {"parameters": 10**6, "variant": "adam_decay"}
    big = case("big", facts, roofline=1.0, minigrad_numba=2.0, minigrad_plain=9.0, minigrad_numpy=3.0, minigrad=2.0)
    small = case("small", {**facts, "parameters": 10**3}, minigrad_plain=1.0, minigrad=1.5, minigrad_numpy=9.0)
    of = found(results(update=[big, small]))
    share = of["Update with numba, from 10⁶ parameters"]
    assert (share.found, share.count) == ({"big": 50.0}, 0)
    blocks = of["Update in blocks, Adam's family, from 10⁶"]
    assert (blocks.found, blocks.count) == ({"big": 3.0}, 1)
    below = of["Update below 3·10⁴ parameters"]
    assert (below.found, below.count) == ({"small": 1.5}, 0)
    assert "Update in blocks, SGD's family, from 10⁶" not in of


def test_the_engine_is_held_against_torch_and_against_the_bare_calls_per_node():
    def graph(name, nodes, minigrad, numpy, torch):
        return case(f"{name} {nodes}", {"nodes": nodes, "graph": name}, minigrad=minigrad, numpy=numpy, torch=torch)

    cases = [
        graph("tanh chain", 1000, 3e-3, 1e-3, 6e-3),
        graph("tanh chain", 2000, 9e-3, 2e-3, 9e-3),
        graph("multiply chain", 1000, 3e-3, 2e-3, 5e-3),
    ]
    of = found(results(engine=cases))
    assert of["Engine, unary chains"].found == {"tanh chain 1000": 0.5, "tanh chain 2000": 1.0}
    assert of["Engine, unary chains"].count == 1
    assert of["Engine, unary chains"].worst == ("tanh chain 2000", 1.0)
    assert of["Engine, binary chains"].found == {"multiply chain 1000": pytest.approx(0.6)}
    both = targets(results(engine=cases))[-2:]
    assert both[0].found["tanh chain 2000"] == pytest.approx(3.5)
    assert both[1].found["tanh chain 2000"] == pytest.approx(1.5)


def test_the_import_is_counted_beyond_that_of_numpy():
    of = found(results(cold=[case("import", numpy=0.1, minigrad=0.13)]))["Import"]
    assert of.found == {"import": 30.0}


def test_what_was_not_measured_has_no_target():
    assert targets(results(step=[], update=[])) == []
