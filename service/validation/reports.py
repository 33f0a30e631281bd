"""Reports: the faults of a batch's rows, where these are reported in their places."""

from __future__ import annotations

from service.faults import MAX_REPORTED_FAULTS, Faults, Loc, cut_short
from service.validation.fault_finder import FaultFinder, Hints
from service.validation.findings import Bad, described
from service.wire.steps import Steps


class Reports:
    """Collects the first faults of each bad row, up to the last row that is reported.

    Parameters
    ----------
    finder : FaultFinder
        Describes the faults.
    most : int
        So many rows are reported.

    Attributes
    ----------
    faults : dict
        By the number of the row. The row after the last that is answered has `cut_short`.
    rows : int
        So many rows are reported.
    is_cut_short : bool
        Whether a row with faults has come after the last that is reported.
    """

    keeps_rows = True

    def __init__(self, finder: FaultFinder, most: int) -> None:
        self.faults: dict[int, Faults] = {}
        self.rows = 0
        self.is_cut_short = False
        self._finder = finder
        self._most = most
        self._hints = Hints()

    @property
    def places(self) -> int:
        """So many rows are answered by their faults, or by the end of the answer."""
        return len(self.faults)

    @property
    def is_full(self) -> bool:
        """Whether no more rows are reported."""
        return self.rows == self._most

    def add_row(self, part: str, number: int, bad: Bad) -> Steps[None]:
        """Report what is wrong with a row."""
        if not any(bad):
            raise RuntimeError("a row that cannot be read has no fault")
        values, names = bad
        listed = values[:MAX_REPORTED_FAULTS], names[: max(MAX_REPORTED_FAULTS - len(values), 0)]
        place: Loc = (part, number)
        self.faults[number] = yield from described(self._finder, place, listed, self._hints)
        self.rows += 1

    def pass_over(self, part: str, number: int) -> None:
        """End the answer in place of a row."""
        self.faults[number] = [cut_short((part, number), self.rows)]
        self.is_cut_short = True

    def check(self) -> None:
        """Reject nothing."""
