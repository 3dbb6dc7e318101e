"""PySpark, in an environment of its own: it is large, needs Java, and does not take the pandas of this project.

It is brought only if SPARK_MUST_RUN is set, as in `.ci/run`, so that the tests stay quick on other machines.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from paths import PROJECT

PYSPARK = "pyspark==4.3.0"
TOOLS = PROJECT / ".tools" / "spark"
PATIENCE = 600

_COUNT = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
print(spark.read.parquet(sys.argv[1]).select("status", "location", "day").count())
"""


def count(lake: Path) -> int:
    """Return how many rows PySpark finds in this folder. Skip the test if PySpark is not on this machine."""
    environment = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1"}
    command = [_python(), "-c", _COUNT, lake]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return int(ended.stdout)


def _python() -> Path:
    must_run = bool(os.environ.get("SPARK_MUST_RUN"))
    python = TOOLS / "bin" / "python"
    if must_run and not python.exists():
        uv = shutil.which("uv") or "uv"
        subprocess.run([uv, "venv", "--quiet", TOOLS], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, PYSPARK], check=True, timeout=PATIENCE)
    if not shutil.which("java") or not python.exists():
        assert not must_run, "SPARK_MUST_RUN is set, and this machine has no Java: apt-get install a Java runtime"
        pytest.skip("PySpark is not here: SPARK_MUST_RUN=1 ./bootstrap.sh test brings it; it needs Java")
    return python
