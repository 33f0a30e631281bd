"""Flow control: uvicorn's, with a second reason not to read from a client."""

from __future__ import annotations

from service.adapters.uvicorn_internals import FlowControl


class HoldingFlow(FlowControl):
    """Reads on only when nothing that has arrived is held back, whatever uvicorn asks for.

    uvicorn resumes reading with each answer, and whenever the application waits for a message: a
    connection that holds requests back would be sent more of them each time.
    """

    is_held = False

    @property
    def is_reading(self) -> bool:
        """Whether the client is being read from."""
        return not (self.is_held or self.read_paused)

    def hold(self, is_held: bool) -> None:  # noqa: FBT001  # a state, not a flag
        """Read no more while something is held back."""
        if is_held != self.is_held:
            was_reading, self.is_held = self.is_reading, is_held
            self._apply(was_reading)

    def pause_reading(self) -> None:
        """Read no more until asked to."""
        was_reading, self.read_paused = self.is_reading, True
        self._apply(was_reading)

    def resume_reading(self) -> None:
        """Read on, as far as nothing is held back."""
        was_reading, self.read_paused = self.is_reading, False
        self._apply(was_reading)

    def _apply(self, was_reading: bool) -> None:  # noqa: FBT001
        if self._transport.is_closing():
            return
        if was_reading and not self.is_reading:
            self._transport.pause_reading()
        elif self.is_reading and not was_reading:
            self._transport.resume_reading()
