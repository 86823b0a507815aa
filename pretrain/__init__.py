"""The trainer.

Every import of megatron-core names the packages that it does without (Transformer Engine, Apex). The filter
has to stand before the first such import, of any module here, and in the children that write checkpoints.
"""

import warnings

warnings.filterwarnings(
    "ignore", message="(Transformer Engine and Apex are|Apex is) not installed", module=r"megatron\."
)
