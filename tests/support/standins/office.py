"""A real LibreOffice, as a person's computer has one: open a file in the language of the person, and read the cells."""

import os
import shutil
import subprocess
from pathlib import Path

import openpyxl
import pytest

PATIENCE = 240


def opened(path: Path, folder: Path, language: str, separator: str = ",") -> list[list[object]]:
    """Return what LibreOffice takes a file's cells for: dates, numbers or texts. Skip the test if it is missing.

    `language` is LibreOffice's, such as `de-DE`: it decides what is a number and what is a date.
    """
    office = shutil.which("soffice")
    if office is None:
        must_run = os.environ.get("OFFICE_MUST_RUN")
        assert not must_run, "OFFICE_MUST_RUN is set, and LibreOffice is not here: apt-get install libreoffice-calc"
        pytest.skip("LibreOffice is not here: apt-get install libreoffice-calc")
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(_SETTINGS.format(language=language), encoding="utf-8")
    read = [f"--infilter=CSV:{ord(separator)},34,76,1,,0,false,true"] if path.suffix == ".csv" else []
    subprocess.run(
        [
            office,
            f"-env:UserInstallation={profile.as_uri()}",
            "--headless",
            *read,
            "--convert-to",
            "xlsx",
            "--outdir",
            folder / "out",
            path,
        ],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    book = openpyxl.load_workbook(folder / "out" / f"{path.stem}.xlsx")
    return [[_BOOLEANS.get(value, value) for value in row] for row in book.worksheets[0].iter_rows(values_only=True)]


_BOOLEANS: dict[object, object] = {"=TRUE()": True, "=FALSE()": False}
"""How LibreOffice writes a boolean."""


_SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse"
><value>{language}</value></prop></item>
</oor:items>
"""
