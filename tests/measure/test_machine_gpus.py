import hashlib
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.measure.machine import Gpus, gpu_software, visible_gpus

if TYPE_CHECKING:
    from tests.measure.scripted_nvml import ScriptedNvml

UUIDS = [f"00000000-0000-0000-0000-00000000000{i}" for i in "abc"]


@pytest.fixture(autouse=True)
def _limits(nvml: "ScriptedNvml") -> None:
    for number, board in enumerate(nvml.boards):
        board.limit_mw = 700_000 - number


def test_visible_gpus_are_described(fake_torch: Any, nvml: "ScriptedNvml") -> None:
    found = visible_gpus()
    assert found == Gpus(
        product="NVIDIA H200",
        count=3,
        mig_profile=None,
        power_limits_w=(700.0, 699.999, 699.998),
        boards=tuple(hashlib.sha256(uuid.encode()).hexdigest()[:8] for uuid in UUIDS),
        driver="580.159.04",
    )
    assert nvml.sessions == 0


def test_nvml_is_queried_by_uuid_and_not_by_number(fake_torch: Any, nvml: "ScriptedNvml") -> None:
    # Boards may be hidden or reordered for torch; NVML ignores that.
    fake_torch.cuda.uuids = [f"GPU-{UUIDS[2].upper()}", UUIDS[0]]
    fake_torch.cuda.allocated = [0, 0]
    found = visible_gpus()
    assert found.power_limits_w == (699.998, 700.0)
    assert found.count == 2
    assert found.boards[1] == hashlib.sha256(UUIDS[0].encode()).hexdigest()[:8]


def test_no_uuid_is_revealed(fake_torch: Any, nvml: "ScriptedNvml") -> None:
    assert all(part not in repr(visible_gpus()) for uuid in UUIDS for part in (uuid, uuid[-12:]))


def test_a_slice_of_a_board_is_named_and_has_its_boards_limit(
    fake_torch: Any, nvml: "ScriptedNvml"
) -> None:
    fake_torch.cuda.allocated = [0]
    fake_torch.cuda.names = ["NVIDIA A100-SXM4-40GB MIG 1g.5gb"]
    fake_torch.cuda.uuids = ["11111111"]
    nvml.slices = {"11111111": nvml.boards[0]}
    found = visible_gpus()
    assert (found.product, found.mig_profile) == ("NVIDIA A100-SXM4-40GB", "1g.5gb")
    assert found.power_limits_w == (700.0,)


def test_unlike_gpus_are_all_named(fake_torch: Any, nvml: "ScriptedNvml") -> None:
    fake_torch.cuda.names = ["NVIDIA H200", "NVIDIA L4", "NVIDIA H200"]
    assert visible_gpus().product == "NVIDIA H200 + NVIDIA L4"


def test_a_board_that_nvml_does_not_know_leaves_the_limits_unknown(
    fake_torch: Any, nvml: "ScriptedNvml"
) -> None:
    del nvml.boards[1]
    found = visible_gpus()
    assert found.power_limits_w == ()
    assert found.driver == "580.159.04"
    assert (found.product, len(found.boards)) == ("NVIDIA H200", 3)
    assert nvml.sessions == 0


def test_without_nvml_torch_provides_the_rest(fake_torch: Any, nvml: "ScriptedNvml") -> None:
    nvml.init_error = "NVML Shared Library Not Found"
    found = visible_gpus()
    assert (found.product, found.count) == ("NVIDIA H200", 3)
    assert (found.power_limits_w, found.driver) == ((), None)


def test_a_torch_without_uuids_leaves_boards_unknown(fake_torch: Any, nvml: "ScriptedNvml") -> None:
    fake_torch.cuda.uuids = [None, None, None]
    assert visible_gpus().boards == ()


def test_versions_are_of_what_torch_uses(fake_torch: Any) -> None:
    assert gpu_software() == {"cuda": "13.0", "cudnn": "91002"}
    fake_torch.version = SimpleNamespace(cuda=None, hip="7.1")
    assert gpu_software() == {"hip": "7.1", "cudnn": "91002"}


def test_an_unused_gpu_is_not_there(fake_torch: Any, nvml: "ScriptedNvml") -> None:
    fake_torch.cuda.initialized = False
    assert visible_gpus() == Gpus()
    assert gpu_software() == {}


def test_without_torch_there_is_none(nvml: "ScriptedNvml", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    assert visible_gpus() == Gpus()
    assert gpu_software() == {}
    assert nvml.queries == []
