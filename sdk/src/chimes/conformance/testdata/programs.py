"""The programs that the jobs of the suite run. They print digests of a random token."""

from __future__ import annotations

import hashlib

from chimes.kinds.backend import JobSpec

__all__ = [
    "COUNT",
    "ENV",
    "LINES",
    "POLITE",
    "PRINT",
    "PRINT_MUCH",
    "STUBBORN",
    "TREE",
    "WAIT_FOR_FILE",
    "digest_line",
    "digest_lines",
    "job",
]

PYTHON = "/usr/bin/python3"
ENV = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}

PRINT = "import hashlib,sys; print(hashlib.sha256(sys.argv[1].encode()).hexdigest())"
COUNT = "import sys; open(sys.argv[1],'a').write('once\\n')"
LINES = 2000
PRINT_MUCH = (
    "import hashlib,os,sys,time\n"
    "end=time.time()+60\n"
    "while not os.path.exists(sys.argv[2]) and time.time()<end: time.sleep(0.02)\n"
    "for n in range(int(sys.argv[3])): print(hashlib.sha256(f'{sys.argv[1]}{n}'.encode()).hexdigest())\n"
    "print('not of the output', file=sys.stderr)"
)
POLITE = (
    "import os,signal,sys,time\n"
    "def leave(*_):\n"
    "    open(sys.argv[1],'a').write(' asked')\n"
    "    os._exit(0)\n"
    "signal.signal(signal.SIGTERM, leave)\n"
    "open(sys.argv[1],'w').write('ready')\n"
    "time.sleep(120)"
)
WAIT_FOR_FILE = (
    "import hashlib,os,sys,time\n"
    "end=time.time()+60\n"
    "while not os.path.exists(sys.argv[2]) and time.time()<end: time.sleep(0.02)\n"
    "print(hashlib.sha256(sys.argv[1].encode()).hexdigest())"
)
STUBBORN = (
    "import os,signal,sys,time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "open(sys.argv[1],'w').write(str(os.getpid()))\n"
    "time.sleep(120)"
)
TREE = (
    "import json,os,signal,sys,time\n"
    "pids=[os.getpid()]; r,w=os.pipe()\n"
    "if os.fork()==0:\n"
    "    os.setsid()\n"
    "    if os.fork()==0:\n"
    "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "        os.write(w,str(os.getpid()).encode()); time.sleep(120); os._exit(0)\n"
    "    os._exit(0)\n"
    "os.wait(); pids.append(int(os.read(r,20)))\n"
    "open(sys.argv[1]+'.part','w').write(json.dumps(pids)); os.rename(sys.argv[1]+'.part',sys.argv[1])\n"
    "time.sleep(120)"
)


def job(program: str, *arguments: str) -> JobSpec:
    """A job that runs one of the suite's programs."""
    return JobSpec(command=(PYTHON, "-I", "-S", "-c", program, *arguments), env=ENV)


def digest_line(token: str) -> str:
    """What the program ``PRINT`` prints for a token."""
    return hashlib.sha256(token.encode()).hexdigest() + "\n"


def digest_lines(token: str) -> bytes:
    """What the program ``PRINT_MUCH`` prints for a token: more than fits into a pipe."""
    return b"".join(hashlib.sha256(f"{token}{n}".encode()).hexdigest().encode() + b"\n" for n in range(LINES))
