"""What a process is told of itself."""

import subprocess
import sys

import pytest

# A process of 1000 MiB that starts another, which tells its own peak in bytes.
LARGE = """
import subprocess, sys
kept = b"x" * (1000 << 20)
small = "from tutelage import posix; print(posix.peak_resident_bytes())"
print(subprocess.run([sys.executable, "-c", small], capture_output=True, text=True, check=True).stdout)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of one program")
def test_the_peak_is_this_programs_own_and_not_that_of_the_one_that_started_it() -> None:
    done = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, check=True)
    assert 100 << 20 < int(done.stdout) < 900 << 20  # torch comes with the package
