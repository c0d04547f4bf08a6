from digits_diffusion.pipeline import WEIGHTS, load_pipeline

LABELS, SEEDS = range(10), range(100, 110)


def test_an_image_is_of_its_label_and_seed_and_not_of_its_batch() -> None:
    pipeline = load_pipeline()
    together = pipeline(LABELS, SEEDS, num_inference_steps=4)
    alone = pipeline(LABELS[3:4], SEEDS[3:4], num_inference_steps=4)
    assert (together[3] - alone[0]).abs().max() < 1e-3
    assert (together[3] - together[4]).abs().max() > 0.1
    assert together.shape == (10, 1, 8, 8)
    assert together.abs().max() <= 1


def test_the_weights_are_small_and_hold_no_code() -> None:
    files = [path for path in WEIGHTS.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors"}
    assert sum(path.stat().st_size for path in files) <= 3_000_000
