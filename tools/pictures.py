"""Takes the pictures of the pages for the docs: ``python tools/pictures.py``, which ``make pictures`` runs.

A marketplace with demo data (showcase.py) is served on the loopback; headless Chromium looks at it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from chimes.processes import Process, run
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "pictures"
CHROMIUM = "/usr/bin/chromium"
START_S = 60
FILL_S = 600
SHOWN_AS = "https://chimes.example"
"""The address in the pictures: always the same."""
COLOURS = 256
FREQUENT = 96
WIDTHS = {"desktop": 1280, "narrow": 360}
TALLEST = {"desktop": 2400, "narrow": 2600}


@dataclass(frozen=True)
class Picture:
    """One picture: its file name, the page (a key in the output of showcase.py), width, language, colours."""

    name: str
    page: str
    width: str
    language: str = "en"
    colours: str = "light"


PICTURES = (
    *(Picture(f"{page}-{width}", page, width) for page in ("front", "list", "plugin", "report") for width in WIDTHS),
    Picture("front-zh-desktop", "front", "desktop", language="zh"),
    Picture("passed-desktop", "passed", "desktop"),
    Picture("report-dark-desktop", "report", "desktop", colours="dark"),
)


def main() -> None:
    """Take all pictures, replacing the files."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        data = Path(scratch) / "data"
        filled = run([sys.executable, str(ROOT / "tools" / "showcase.py"), str(data)], timeout_s=FILL_S)
        if filled.returncode != 0:
            raise SystemExit(filled.text)
        shown: dict[str, str] = json.loads(filled.stdout)
        with _served(data) as base:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            for picture in PICTURES:
                _take(browser, f"{base}/{shown[picture.page]}", picture)
            browser.close()


def _take(browser: Browser, address: str, picture: Picture) -> None:
    """Take a picture of one page, from its top to its end or to the largest height."""
    context = browser.new_context(
        viewport={"width": WIDTHS[picture.width], "height": 900},
        locale=picture.language,
        color_scheme="dark" if picture.colours == "dark" else "light",
    )
    page = context.new_page()
    page.goto(address, wait_until="load")
    height = min(int(page.evaluate("document.documentElement.scrollHeight")), TALLEST[picture.width])
    path = OUT / f"{picture.name}.png"
    page.screenshot(path=path, clip={"x": 0, "y": 0, "width": WIDTHS[picture.width], "height": height}, full_page=True)
    context.close()
    _shrink(path)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


def _shrink(path: Path) -> None:
    """Reduce the picture to a palette: this is enough for a page and keeps the repository small.

    The most frequent colours stay exactly as they are; the rest of the palette covers what is rare.
    """
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    channels = np.asarray(image, dtype=np.uint32)
    packed = (channels[..., 0] << 16) | (channels[..., 1] << 8) | channels[..., 2]
    colours, places, counts = np.unique(packed, return_inverse=True, return_counts=True)
    rare = image.quantize(COLOURS - FREQUENT, Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = np.concatenate([_channels(colours[np.argsort(counts)[-FREQUENT:]]), np.reshape(rare, (-1, 3))])
    distances = ((_channels(colours)[:, None, :] - palette[None, :, :]) ** 2).sum(axis=2)
    small = Image.fromarray(distances.argmin(axis=1)[places].reshape(packed.shape).astype(np.uint8))
    small.putpalette(palette.astype(np.uint8).tobytes())
    small.save(path, optimize=True)


def _channels(colours: Any) -> Any:
    """Packed colours as rows of red, green, blue."""
    return np.stack([colours >> 16 & 255, colours >> 8 & 255, colours & 255], axis=1).astype(np.int64)


@contextlib.contextmanager
def _served(data: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = Path(sys.executable).with_name("chimes-marketplace")
    argv = [str(command), "serve", "--data", str(data), "--host", "127.0.0.1", "--port", str(port)]
    process = Process(argv, env={**os.environ, "CHIMES_MARKETPLACE_PUBLIC_URL": SHOWN_AS})
    try:
        _wait(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
        os.kill(process.pid, signal.SIGTERM)
        process.wait(30)
    finally:
        process.kill()


def _wait(base: str, process: Process) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{base}/healthz"):
            return
        time.sleep(0.05)
    raise SystemExit("the marketplace did not start")


if __name__ == "__main__":
    main()
