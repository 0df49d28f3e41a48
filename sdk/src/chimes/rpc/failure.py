"""How a step in another process can fail, and one description of it that is the same in every run."""

from __future__ import annotations

from typing import Any

__all__ = ["ANSWERS", "StepFailedError", "failure_words"]


class StepFailedError(Exception):
    """A step in another process failed: an exception there, no usable answer, or the end of the process.

    ``cause`` is ``own`` for an exception or an answer; for the end of a process it is what the sandbox knows. ``code``
    and ``kind`` name the exception, by names that this SDK or Python defines, never the plugin's; ``answer``
    is a key of ``ANSWERS``; ``said`` is the plugin's text. ``ended``: the process is gone.
    """

    def __init__(
        self,
        step: str,
        *,
        cause: str = "own",
        code: str | None = None,
        kind: str | None = None,
        answer: str | None = None,
        said: str = "",
        ended: bool = False,
    ) -> None:
        super().__init__(f"{step}: {code or kind or answer or cause}")
        self.step, self.cause, self.code, self.kind, self.answer, self.said = step, cause, code, kind, answer, said
        self.ended = ended

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for facts."""
        return {
            "step": self.step,
            "cause": self.cause,
            "code": self.code,
            "kind": self.kind,
            "answer": self.answer,
            "said": self.said,
        }


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
    "type": ("gave something else than the interface says", "return exactly the interface's types"),
    "count": ("gave another number of values than were asked for", "return one for each"),
    "large": ("gave more than the suite can ask for", "return what was asked for, and let every iterator end"),
    "changing": ("gave something else the second time", "give the same every time, in every process"),
    "broken": (
        "wrote to the socket on which this process is asked for answers",
        "write only to files, pipes and sockets that you opened",
    ),
}


def failure_words(failed: dict[str, Any]) -> tuple[str, str]:
    """One sentence and one fix for a step that failed (``StepFailedError.to_json()``)."""
    step = failed["step"]
    if known := CAUSES.get(failed["cause"]) or ANSWERS.get(failed["answer"]):
        return f"{step} {known[0]}", known[1]
    name = failed["code"] or failed["kind"] or "an exception of its own"
    return f"{step} raised {name} where it had to succeed", "run it with the same input and mend what raises"
