"""Configuration of a MiMo model for transformers.

Every exported model folder contains a copy of this file.
"""

from transformers import Qwen2Config


class MiMoConfig(Qwen2Config):
    """Qwen2's configuration; config.json adds `num_nextn_predict_layers`, the number of MTP layers."""

    model_type = "mimo"
