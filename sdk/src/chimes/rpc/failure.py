"""How a step in another process can fail, and a description of the failure that is the same in every run."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from chimes.evidence.record import Facts
from chimes.evidence.verdict import Cause

__all__ = ["ANSWERS", "StepFailedError", "StepFailure", "failure_facts"]

CAUSES = {
    "memory": ("used more memory than allowed", "free memory between batches, or ask for more in the registration"),
    "time": ("did not come to an end in the time allowed", "make it return, or raise an error, in time"),
    "processes": ("started more processes than allowed", "start fewer processes and wait for each"),
    "disk": ("wrote more than allowed", "write less, and remove temporary files"),
    "killed": ("ended or attacked the process that watches it", "signal only processes that you started"),
    "crashed": ("ended the process it runs in", "do not call os._exit, and look for crashes in native code"),
    "infra": ("could not be run here", "this is not the plugin's fault: try again"),
}
ANSWERS = {
    "type": ("returned a value that the interface does not allow", "return exactly the interface's types"),
    "count": ("returned a wrong number of values", "return one value for each that was asked for"),
    "large": ("returned more than the suite accepts", "return only what was asked for, and let every iterator end"),
    "changing": ("returned another result the second time", "return the same result every time, in every process"),
    "unusable": (
        "declares something that the suite cannot use",
        "correct what the reason names; where the suite cannot make input rows, write the harness's inputs method",
    ),
    "broken": (
        "wrote to the socket on which this process receives its requests",
        "write only to files, pipes and sockets that you opened",
    ),
}


class StepFailure(BaseModel):
    """The failure of a step in another process: an exception there, an invalid answer, or the end of the process.

    ``cause`` is ``own`` for an exception or an answer; for the end of a process it is what the sandbox knows. ``code``
    and ``kind`` name the exception, by names that this SDK or Python defines, never the plugin's; ``answer``
    is a key of ``ANSWERS``; ``said`` is the plugin's text.
    """

    model_config = ConfigDict(frozen=True)

    step: str
    cause: Cause = "own"
    code: str | None = None
    kind: str | None = None
    answer: str | None = None
    said: str = ""

    def describe(self) -> tuple[str, str]:
        """One sentence that describes the failure, and what to do."""
        if known := CAUSES.get(self.cause) or ANSWERS.get(self.answer or ""):
            return f"{self.step} {known[0]}", known[1]
        name = self.code or self.kind or "an exception of its own"
        return f"{self.step} raised {name} where it had to succeed", "call it with the same input and correct the error"


class StepFailedError(Exception):
    """A step in another process failed. ``ended``: the process is gone."""

    def __init__(
        self,
        step: str,
        *,
        cause: Cause = "own",
        code: str | None = None,
        kind: str | None = None,
        answer: str | None = None,
        said: str = "",
        ended: bool = False,
    ) -> None:
        super().__init__(f"{step}: {code or kind or answer or cause}")
        self.failure = StepFailure(step=step, cause=cause, code=code, kind=kind, answer=answer, said=said)
        self.ended = ended


def failure_facts(error: StepFailedError | None) -> Facts:
    """The facts of a check whose step failed; empty without an error."""
    return {"failed": error.failure.model_dump()} if error is not None else {}
