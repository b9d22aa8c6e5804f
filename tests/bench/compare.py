"""Compares two versions by the figures of a measuring program: in pairs of runs, in turns, so that what
the machine does meanwhile meets both."""

import statistics

PAIRS = 5
WORSE = 1.03  # the median of the pairs' ratios, new by old; less is better


class Comparison:
    """What the pairs say about one figure."""

    def __init__(self, name, pairs):
        """pairs: [(old, new)], of which there are at least PAIRS."""
        self.name = name
        self.old = statistics.median(old for old, _ in pairs)
        self.new = statistics.median(new for _, new in pairs)
        self.ratios = sorted(self._ratio(*pair) for pair in pairs)
        self.median = statistics.median(self.ratios)
        # Of every six pairs beyond the first, one on each side may be an accident.
        cut = (len(pairs) - 1) // 6
        self.low, self.high = self.ratios[cut], self.ratios[-1 - cut]
        self.spread = 0 if self.low == self.high else (self.high - self.low) / 2

    @staticmethod
    def _ratio(old, new):
        if old == 0:
            return 1.0 if new == 0 else float("inf")
        return new / old

    def verdict(self):
        """"worse" and "better" need a median that is far from 1, and farther than the pairs spread to either
        side of their middle."""
        if self.median > WORSE and self.median - 1 > self.spread:
            return "worse"
        if self.median < 1 / WORSE and 1 - self.median > self.spread:
            return "better"
        return ""


def compare(measure, pairs=PAIRS, tell=lambda text: None):
    """measure("old") and measure("new") each run the program once and return {figure: value}. Returns
    Comparisons; the order of the two changes from pair to pair."""
    found = {}
    for number in range(pairs):
        tell(f"pair {number + 1} of {pairs}")
        order = ("old", "new") if number % 2 == 0 else ("new", "old")
        values = {which: measure(which) for which in order}
        for name in values["old"].keys() & values["new"].keys():
            found.setdefault(name, []).append((values["old"][name], values["new"][name]))
        if number == 0:
            names = list(values["new"])
    if not found or any(len(found.get(name, ())) != pairs for name in names):
        raise OSError("not every run told the same figures")
    return [Comparison(name, found[name]) for name in names]


def print_comparisons(title, comparisons):
    print(f"\n{title}")
    width = max(len(one.name) for one in comparisons)
    print(f"{'':<{width}} {'old':>12} {'new':>12} {'ratio':>7}   of the pairs")
    for one in comparisons:
        spread = f"{one.low:.3f} - {one.high:.3f}"
        line = f"{one.name:<{width}} {one.old:>12.4g} {one.new:>12.4g} {one.median:>7.3f}   {spread:<15} "
        print((line + one.verdict()).rstrip(), flush=True)
