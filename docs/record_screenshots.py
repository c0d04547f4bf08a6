"""Take the screenshots of the HTML report: of the example, before and after a planted trade-off.

    python docs/record_screenshots.py            # ten minutes on two cores; `make screenshots`
    python docs/record_screenshots.py PAGE       # of a page that a session has written already

The example is copied, its test keeps what it draws, three fresh processes add to its baseline, and
three more measure the change. Needs Debian's chromium and the extra ``browser``.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "example_project"
IMAGES = ROOT / "docs" / "images"
LARGEST_B = 150_000
SCORED = "    correct = reader.correct(images, LABELS)\n"
KEPT = f"{SCORED}    pareto.keep((images + 1) / 2, ids=IDS)\n"
RECORD = ("--pareto-update=all", "--pareto-runs=3")
CHANGE = ("--pareto-runs=3", "--pareto-html=report.html")
SIZE = {"width": 1280, "height": 1160}
COLOURS = 128


def write_page(folder: Path) -> Path:
    """Add to the example's baseline in a folder, plant the trade-off, and return the page."""
    project = folder / "example"
    unwanted = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(EXAMPLE, project, ignore=unwanted)
    test = project / "test_digits.py"
    text = test.read_text(encoding="utf-8")
    assert text.count(SCORED) == 1
    test.write_text(text.replace(SCORED, KEPT), encoding="utf-8")
    for change, arguments in (("", RECORD), ("tradeoff", CHANGE)):
        env = os.environ | {"EXAMPLE_CHANGE": change, "CI": ""}
        command = [sys.executable, "-m", "pytest", "--pareto", *arguments]
        subprocess.run(command, cwd=project, env=env, check=True)
    return project / "report.html"


def take(page: Path) -> None:
    """Take the pictures, in light and in dark, of the first screens of a page."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            opened = browser.new_page(viewport=SIZE, color_scheme=scheme)
            heard: list[str] = []
            opened.on("request", lambda request, heard=heard: heard.append(request.url))
            opened.on("console", lambda message, heard=heard: heard.append(message.text))
            opened.on("pageerror", lambda error, heard=heard: heard.append(str(error)))
            opened.goto(page.resolve().as_uri())
            outside = [text for text in heard[1:] if not text.startswith("data:")]
            assert not outside, f"the page asked for, or complained of: {outside}"
            file = IMAGES / f"html_report_{scheme}.png"
            opened.screenshot(path=file)
            _shrink(file)
            print(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1000:.0f} kB")
        browser.close()


def _shrink(file: Path) -> None:
    with Image.open(file) as found:
        few = found.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(file, optimize=True)
    assert file.stat().st_size <= LARGEST_B, f"{file} is larger than {LARGEST_B} bytes"


def main(arguments: list[str]) -> None:
    """Take screenshots of the page that is given, or of one that is measured for them."""
    if arguments:
        take(Path(arguments[0]))
        return
    with tempfile.TemporaryDirectory() as folder:
        take(write_page(Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
