"""Work in several processes comes back whole, and is told of."""

import io

from minigrad.lab import workers
from minigrad.lab.workers import completed, watched


def double(x):
    return 2 * x


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_results_come_back_in_the_order_of_the_tasks():
    assert watched(completed(double, [3, 1, 2], 2, lost=double), 3, str, quiet=True) == [6, 2, 4]


def test_a_terminal_gets_a_bar_and_hears_at_once_of_what_is_wrong():
    said = Terminal()
    watched(iter([(1, "b"), (0, "a")]), 2, str, wrong=lambda x: "it is b" if x == "b" else "", file=said)
    assert "2/2" in said.getvalue()
    assert "it is b" in said.getvalue()


def test_elsewhere_there_are_lines_now_and_then(monkeypatch):
    said = io.StringIO()
    watched(iter([(0, "a"), (1, "b")]), 2, str, file=said)
    assert said.getvalue() == "[2/2] b\n"
    monkeypatch.setattr(workers, "INTERVAL", 0)
    watched(iter([(0, "c"), (1, "d")]), 2, str, wrong=lambda x: "!" if x == "c" else "", file=said)
    assert said.getvalue().splitlines()[1:] == ["!", "[1/2] c", "[2/2] d"]


def test_quiet_says_nothing(capsys):
    watched(iter([(0, "a")]), 1, str, quiet=True)
    assert capsys.readouterr() == ("", "")
