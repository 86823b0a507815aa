"""Configuration of a MiMo model folder; a copy travels with every export."""

from transformers import Qwen2Config


class MiMoConfig(Qwen2Config):
    """Qwen2's configuration; config.json adds `num_nextn_predict_layers`, the number of MTP layers."""

    model_type = "mimo"
