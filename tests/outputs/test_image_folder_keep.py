from pathlib import Path

import numpy as np
from PIL import Image

from pytest_pareto.outputs.image_folder import OutputStore, read_albums

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)  # about 4.2 kB


def test_each_evaluation_has_an_album(tmp_path: Path) -> None:
    keeper = OutputStore(tmp_path, 10**6)
    for metrics, shade in ((["base"], 1), (["upscaled"], 2)):
        keeper.keep("t", "t", metrics)("a", Image.new("L", (2, 2), shade))
    albums = read_albums(tmp_path)
    assert [album.metrics for album in albums] == [("base",), ("upscaled",)]
    for album, shade in zip(albums, (1, 2), strict=True):
        with Image.open(album.folder / "a.png") as image:
            assert image.getpixel((0, 0)) == shade


def test_outputs_of_an_earlier_attempt_are_removed(tmp_path: Path) -> None:
    keeper = OutputStore(tmp_path, 6_000)  # enough for one image
    keeper.begin("t")
    keeper.keep("t", "t#x", ())("early", NOISE)
    keeper.keep("other", "other", ())("small", Image.new("L", (2, 2)))
    keeper.begin("t")
    keeper.keep("t", "t#x", ())("late", NOISE)
    kept = {album.case_id: album.samples for album in read_albums(tmp_path)}
    assert kept == {"t#x": {"late"}, "other": {"small"}}
    keeper.keep("other", "other", ("m",))("too much", NOISE)
    assert "too much" in next(a for a in read_albums(tmp_path) if a.metrics).lacking
