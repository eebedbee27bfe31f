"""What made minigrad fast and what did not: each step with what was expected of it, timed before and after.

The code as it was before stands in `contenders.of_lessons`, beside that which took its place, so that what is claimed
here can be measured again on any machine.
"""

from minigrad.lab.bench.case import UNIT, Case

__all__ = ["LESSONS", "cases"]

# By name: what was expected, before anything was measured.
LESSONS: dict[str, str] = {
    "AdamW's update in blocks": (
        "An expression makes an array of 4 MB for each of its fifteen operations, and each travels to memory and back. "
        "In blocks that stay in the cache only the seven accesses of the update itself do: two to three times as fast."
    ),
    "AdamW's update compiled": (
        "Blocks still go through the cache fifteen times. One compiled loop keeps what it computes in registers: as "
        "fast as memory, whose share of the time in blocks was a quarter at most, so four times or more."
    ),
    "AdamW's update on all cores, behind a product": (
        "Two cores read memory faster than one: up to twice as fast at 10⁶ parameters, also within a training step."
    ),
    "AdamW's update on the faster of both, behind a product": (
        "If both ways are tried where the update is used, and the faster one stays, it is never much worse than either."
    ),
    "Convolution: windows copied row by row": (
        "A window of 3 × 3 pixels is copied as nine runs of C numbers by a reshape that does not know better, and as "
        "three runs of 3 C if it is told that the pixels of a row lie beside each other: up to three times as fast."
    ),
    "Convolution: windows of few channels": (
        "Of one channel, a row of a window is a run of three numbers, and most of the time goes into beginning runs. "
        "The pixels at one place of all windows lie in runs of a whole row of the image; as the rows of the transposed "
        "matrix they are copied two to three times as fast, and a BLAS does not mind."
    ),
    "Convolution: windows of some images at a time": (
        "The matrix of all windows is nine times the images and does not fit into the cache. Made in parts of 4 MiB it "
        "never leaves it: the product costs the same, the copy a half."
    ),
    "Convolution: gradient of the images": (
        "Handing each window's gradient out to its pixels reads, adds and writes nine times the images. As another "
        "convolution, of the gradient with the turned filters, it only copies: twice as fast."
    ),
    "Pooling: gradient of the largest": (
        "To compare, to look for NaN, to turn masks into numbers and to multiply are four passes over every fourth of "
        "the images, in short runs. Not less than the largest says the same in one comparison, NaN included, and the "
        "product can land where it belongs: twice as fast."
    ),
    "Relu beside a small array": (
        "max(x, 0) reads one array and should run at the cache's speed. A profile says otherwise: NumPy has a fast "
        "loop for two arrays and none for an array and a number. A row of zeros, read again and again, costs nothing."
    ),
    "Sums over a batch": (
        "NumPy adds rows one by one on one core. A product with a row of ones is the same sum, and a BLAS keeps "
        "several rows in registers and both cores busy: twice as fast."
    ),
    "Nodes of two operands, written out": (
        "A call that takes any operation sorts operands and options in loops, and the way back makes lists of them. "
        "Written out for two operands nothing is sorted, and one comparison of shapes on the way there saves four on "
        "the way back: a microsecond of three and a half."
    ),
    "Gradient of a weight, written where it belongs": (
        "The gradient buffer saves the copy of a product's result, 2 · 4 MB of traffic beside a product that takes "
        "ten times as long: a tenth."
    ),
    "Training step that keeps freed memory": (
        "Large blocks that are freed go back to the system, and come again as zeroed pages, one fault each: for the "
        "30 MB of a step some thousand faults of a quarter of a microsecond to one, a few milliseconds of forty."
    ),
    "Relu's gradient by where": (
        "g · (y > 0) turns a mask into numbers and multiplies; where(y > 0, g, 0) only selects, which is less work."
    ),
    "A small network's step, captured": (
        "A step of 64-32-10 takes 79 µs, and 34 by hand: the rest is the engine, which decides the same in every step. "
        "The recorded calls need no engine, and make no arrays: as fast as by hand."
    ),
    "Captured: statements in place of a loop over calls": (
        "A loop takes a function and its arguments out of a tuple fifty times, some forty nanoseconds each; a compiled "
        "function has them in local variables: two microseconds of forty."
    ),
    "Captured: arrays laid out anew": (
        "A tensor keeps its value as long as the graph refers to it. Free after the last line that reads it, memory is "
        "a half, and a relu that writes over its operand saves 8 of some hundred MB of traffic: five to ten percent."
    ),
    "Captured: large calls in halves, on two threads": (
        "Ten of a step's nineteen milliseconds are spent in entrywise calls and copies, on one core of two. In halves "
        "they could take little more than five."
    ),
}


def cases(quick: bool) -> list[Case]:
    """Return every lesson; none is quick."""
    if quick:
        return []
    bound = 2.0**12 * UNIT["float32"]  # sums of at most 2¹⁶ terms in another order: √n u, times 16
    return [
        Case(name, {"kind": "lesson", "lesson": name}, (bound,) * 2, only=("before", "after"), facts={"expected": said})
        for name, said in LESSONS.items()
    ]
