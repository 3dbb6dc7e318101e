"""`speedsnake contract` asks a person for what the contract says, and writes a file that `verdict` reads."""

import json
import tomllib
from pathlib import Path

import pytest
from command import Terminal, speedsnake
from verdicts import run

from speedtest.verdicts.contract_keys import KEYS

EXAMPLE = """
[contract]
provider = "Example Net"
tariff = "Home 100"
monthly_fee = 39.95
[contract.download]
maximum = 100
normal = 80
minimum = 50
advertised = 100
[contract.upload]
maximum = 40
[dates]
fault_reported = 2026-03-02
complaint = 2026-05-01
"""


def answer(terminal: Terminal, answers: dict[str, list[str]]) -> None:
    """Answer each question by its name, and Enter for all others, until the file is written."""
    asked = 0
    while "written:" not in terminal.text:
        lines = terminal.text.splitlines()
        last = lines[-1] if lines else ""
        if last.endswith(": ") and len(terminal.text) > asked:
            given = answers.get(last.partition(" ")[0].rstrip(":"), [])
            asked = len(terminal.text) + 1
            terminal.type(f"{given.pop(0) if given else ''}\n".encode())
        assert terminal.read() or "written:" in terminal.text, terminal.text[-500:]


@pytest.mark.slow
def test_init_asks_explains_and_asks_again_for_what_is_not_allowed(tmp_path: Path) -> None:
    answers = {
        "provider": ["Example Net"],
        "country": ["de"],
        "monthly_fee": ["lots", "39,95"],
        "maximum": ["100", "100", "40"],
        "minimum": ["120", "50"],
        "fault_reported": ["2 March", "2026-03-02"],
    }
    with Terminal(tmp_path, "contract", "init", CONTRACT_FILE="home.toml") as terminal:
        answer(terminal, answers)
        assert terminal.end() == 0
        assert "The highest speed, Mbit/s, as printed in the contract." in terminal.text
        assert "'lots' is not allowed: it must be a number above 0" in terminal.text
        assert "contract.download.minimum = 120 is above contract.download.maximum = 100" in terminal.text
        assert "signatory" not in terminal.text  # it matters in the United Kingdom only
    found = tomllib.loads((tmp_path / "home.toml").read_text())
    assert found["contract"]["download"] == {"maximum": 100, "minimum": 50}
    assert found["contract"]["upload"] == {"maximum": 40}
    assert found["contract"]["monthly_fee"] == 39.95
    assert str(found["dates"]["fault_reported"]) == "2026-03-02"


@pytest.mark.parametrize(
    ("typed", "value"), [("1000", 1000), ("79,5", 79.5), ("79.50", 79.5), ("0.125", 0.125), ("1.0000", 1)]
)
def test_a_number_is_typed_with_a_point_or_a_comma(typed: str, value: float) -> None:
    maximum = next(key for key in KEYS if key.path == "contract.download.maximum")
    assert maximum.read(typed) == value


@pytest.mark.parametrize("typed", ["1.000", "1,000", "12.500", "1.000,5", "1 000"])
def test_a_number_that_may_be_a_thousand_or_one_is_refused(typed: str) -> None:
    maximum = next(key for key in KEYS if key.path == "contract.download.maximum")
    with pytest.raises(ValueError, match=typed[:1]):
        maximum.read(typed)


@pytest.mark.slow
def test_init_keeps_what_the_file_has_and_removes_what_is_to_go(tmp_path: Path) -> None:
    (tmp_path / "contract.toml").write_text(EXAMPLE)
    with Terminal(tmp_path, "contract", "init") as terminal:
        answer(terminal, {"tariff": ["-"]})
        assert terminal.end() == 0
    found = tomllib.loads((tmp_path / "contract.toml").read_text())
    wanted = tomllib.loads(EXAMPLE)
    del wanted["contract"]["tariff"]
    assert found == wanted


@pytest.mark.slow
def test_without_a_terminal_or_after_ctrl_c_nothing_is_written(tmp_path: Path) -> None:
    ended = speedsnake(tmp_path, "contract", "init")
    assert ended.returncode == 64
    with Terminal(tmp_path, "contract", "init") as terminal:
        terminal.until("provider: ")
        terminal.type(b"\x03")
        assert terminal.end() == 130
    assert not (tmp_path / "contract.toml").exists()


def test_show_prints_the_file_as_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "contract.toml").write_text(EXAMPLE)
    shown = run(tmp_path, "contract", "show")
    assert shown.exit_code == 0
    assert "contract.download.normal" in shown.stdout
    found = json.loads(run(tmp_path, "contract", "show", "--json").stdout)
    assert found["download"] == {"maximum": 100, "normal": 80, "minimum": 50, "advertised": 100}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[contract.download]\nminimum = 80\nmaximum = 50\n", ["download.minimum = 80 is above"]),
        ("[contract.download]\nnormal = 120\nmaximum = 100\n", ["download.normal = 120 is above"]),
        ("[contract.download]\nmax = 100\n", ["contract.download.max is not a key; did you mean contract.download.ma"]),
        ("[contarct]\nprovider = 'x'\n", ["contarct is not a key; did you mean contract?"]),
        ("[contract]\ndownload = 100\n", ["contract.download must be a section"]),
        (
            "[contract.download]\nmaximum = 0\nnormal = nan\nminimum = '50'\n[dates]\ncomplaint = 'May'\n",
            ["maximum = 0", "normal = nan", "minimum = '50'", "complaint = 'May'"],
        ),
        (f"[contract.download]\nmaximum = 1{'0' * 400}\n", ["maximum = 1000"]),
        ("[dates]\nfault_reported = 2026-03-02\nfault_ended = 2026-03-01\n", ["fault_ended"]),
        ("[contract\n", ["not TOML"]),
        (f"a = 1{'0' * 5000}\n", ["not TOML"]),
        ('[contract]\nprovider = "a\\u0007"\n', ["provider"]),
    ],
)
def test_a_contract_that_cannot_be_is_refused_with_every_mistake(tmp_path: Path, text: str, told: list[str]) -> None:
    (tmp_path / "contract.toml").write_text(text)
    for command in (("contract", "show"), ("verdict", "--profile", "de-bnetza")):
        ended = run(tmp_path, *command)
        assert ended.exit_code == 78
        for words in told:
            assert words in ended.stderr


def test_a_contract_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    ended = run(tmp_path, "verdict", "--profile", "de-bnetza", CONTRACT_FILE=str(tmp_path / "none.toml"))
    assert (ended.exit_code, "speedsnake contract init" in ended.stderr) == (78, True)
