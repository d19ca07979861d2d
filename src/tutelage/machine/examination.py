"""`tutelage doctor` without a template: is this machine ready to train?

Nothing here imports a package that is examined: what may crash is tried in a child process (`machine.child`).
"""

import os
from pathlib import Path

from tutelage.machine.device import examine_device, read_driver
from tutelage.machine.findings import Machine
from tutelage.machine.imports import examine_imports
from tutelage.machine.packages import examine_packages
from tutelage.machine.storage import examine_storage
from tutelage.machine.surroundings import examine_encodings, examine_hub
from tutelage.machine.threads import examine_threads, read_cores

OUTPUT = "runs"


def examine(output: str = OUTPUT, *, online: bool = False) -> Machine:
    """Examine packages, device, threads, storage, the Hub's settings and encodings.

    Args:
        output: where runs will be written; it is not made.
        online: try whether the Hub answers. Without it, nothing is asked of the network.
    """
    load = os.getloadavg()[0]  # before our own processes count
    imports, tried = examine_imports()
    threads = None if tried.torch is None else tried.torch.threads
    return Machine(
        (
            *examine_packages(),
            *imports,
            *examine_device(tried, read_driver()),
            *examine_threads(read_cores(), threads, load=load),
            *examine_storage(Path(output), os.environ),
            *examine_hub(os.environ, online=online),
            *examine_encodings(),
        )
    )
