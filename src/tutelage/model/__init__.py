"""Loading, adapters, attention: the only room that touches transformers' insides."""

import logging
import sys

# peft imports bitsandbytes wherever it is installed, which then warns of kernels that are not used here,
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
# and which, while it is imported, fetches native code from the Hub and runs it where `kernels` is installed (law 10).
sys.modules["kernels"] = None  # type: ignore[assignment]
