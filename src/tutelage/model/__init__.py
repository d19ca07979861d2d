"""Loading, adapters, attention: the only room that touches transformers' insides."""

import logging

# peft imports bitsandbytes wherever it is installed, which then warns of kernels that are not used here.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
