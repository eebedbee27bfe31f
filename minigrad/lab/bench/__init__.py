"""``minigrad bench``: how fast, beside what, and how near the limit.

Every contender works in a process of its own (`worker`, `process`), and the processes take turns (`turns`): several
libraries' thread pools in one process disturb each other. What is timed is checked first. `work` lists what is done,
`contenders` who does it; `report`, `figure` and `check` read the results.
"""
