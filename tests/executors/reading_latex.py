"""A reader of the LaTeX that is emitted: it computes what the lines say, and knows nothing of how they were made."""

import operator
import re

from minigrad.rules import maximum, sign, sqrt


def executed(text, values):
    """Execute the lines of an ``aligned`` environment; return the values of the symbols afterwards."""
    known = dict(values)
    body = text.split("\n", 1)[1].rsplit("\n", 1)[0]
    for line in body.split("\\\\\n"):
        if r"\text{where }" in line:
            continue
        target, expression = line.split(r" &\leftarrow ")
        known[target] = Reader(expression, known).whole()
    return known


class Reader:
    """Recursive descent. Symbols are read by the longest that is known."""

    def __init__(self, text, known):
        self.known = known
        self.symbols = sorted(known, key=len, reverse=True)
        self.text = text.strip()

    def whole(self):
        value = self.sum()
        assert not self.text, f"left over: {self.text}"
        return value

    def take(self, word):
        if not self.text.startswith(word):
            return False
        self.text = self.text[len(word) :].lstrip()
        return True

    def need(self, word):
        assert self.take(word), f"{word} expected: {self.text}"

    def group(self):
        self.need("{")
        value = self.sum()
        self.need("}")
        return value

    def sum(self):
        value = operator.neg(self.product()) if self.take("-") else self.product()
        while self.text[:1] in ("+", "-") and self.text:
            value = value + self.product() if self.take("+") else self.minus(value)
        return value

    def minus(self, value):
        self.need("-")
        return value - self.product()

    def product(self):
        value = self.power()
        while self.take("\\,") or self.take(r"\cdot "):
            value = value * self.power()
        return value

    def power(self):
        if self.take("{"):
            base = self.sum()
            self.need("}")
            self.need("^")
            return base ** self.group()
        return self.atom()

    def atom(self):
        if self.take(r"\frac"):
            over = self.group()
            return over / self.group()
        if self.take(r"\sqrt"):
            return sqrt(self.group())
        if self.take(r"\lvert"):
            value = self.sum()
            self.need(r"\rvert")
            return abs(value)
        if self.take(r"\max\left("):
            first = self.sum()
            self.need(",")
            second = self.sum()
            self.need(r"\right)")
            return maximum(first, second)
        if self.take(r"\operatorname{sign}\left("):
            value = self.sum()
            self.need(r"\right)")
            return sign(value)
        if self.take(r"\left("):
            value = self.sum()
            self.need(r"\right)")
            return value
        if found := re.match(r"\d+(\.\d+)?", self.text):
            self.need(found[0])
            return float(found[0]) if "." in found[0] else int(found[0])
        for symbol in self.symbols:
            if self.take(symbol):
                return self.known[symbol]
        raise AssertionError(f"not understood: {self.text}")
