"""MiMo for transformers: Qwen2's decoder with multi-token-prediction (MTP) layers.

Every exported model folder contains a copy of this file. The main model is Qwen2 with QKV bias. An MTP layer
reads the decoder's hidden state before the final norm and the embedding of the next token (zero at position
0); through the shared output layer it predicts the token after the next. `generate` uses only the main model;
`draft_logits` serves to check the MTP layers and to draft tokens for speculative decoding.
"""

import torch
from torch import nn
from transformers.models.qwen2.modeling_qwen2 import (
    Qwen2DecoderLayer,
    Qwen2ForCausalLM,
    Qwen2Model,
    Qwen2RMSNorm,
)

from .configuration_mimo import MiMoConfig


class MiMoMTPLayer(Qwen2DecoderLayer):
    """A decoder layer whose input is a projection of [hidden state, next token's embedding]."""

    def __init__(self, config: MiMoConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        size, epsilon = config.hidden_size, config.rms_norm_eps
        self.token_layernorm = Qwen2RMSNorm(size, eps=epsilon)
        self.hidden_layernorm = Qwen2RMSNorm(size, eps=epsilon)
        self.input_proj = nn.Linear(2 * size, size, bias=False)
        self.final_layernorm = Qwen2RMSNorm(size, eps=epsilon)

    def draft(self, hidden: torch.Tensor, embedded: torch.Tensor, rotary: tuple) -> torch.Tensor:
        """Return the output layer's input [b, s, h]; `embedded` holds the embeddings of the next tokens."""
        both = torch.cat([self.hidden_layernorm(hidden), self.token_layernorm(embedded)], dim=-1)
        output = self(self.input_proj(both), position_embeddings=rotary)
        output = output[0] if isinstance(output, tuple) else output  # a tuple before transformers 4.54
        return self.final_layernorm(output)


class MiMoModel(Qwen2Model):
    config_class = MiMoConfig

    def __init__(self, config: MiMoConfig) -> None:
        super().__init__(config)
        self.mtp_layers = nn.ModuleList(
            MiMoMTPLayer(config, layer_idx=0)  # layer 0 has full attention; the index has no other use here
            for _ in range(config.num_nextn_predict_layers)
        )
        self.post_init()


class MiMoForCausalLM(Qwen2ForCausalLM):
    config_class = MiMoConfig

    def __init__(self, config: MiMoConfig) -> None:
        super().__init__(config)
        self.model = MiMoModel(config)
        self.post_init()

    @torch.no_grad()
    def draft_logits(self, input_ids: torch.Tensor, layer: int = 0) -> torch.Tensor:
        """Return an MTP layer's logits [b, s, v]: those at t predict token t + layer + 2.

        They depend on the tokens up to t + layer + 1, so the last `layer + 1` positions are not valid.
        """
        kept = []
        hook = self.model.norm.register_forward_pre_hook(lambda norm, inputs: kept.append(inputs[0]))
        try:
            self.model(input_ids, use_cache=False)
        finally:
            hook.remove()
        embedded = self.model.embed_tokens(input_ids.roll(-layer - 1, dims=1))
        embedded[:, 0] = 0.0
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        rotary = self.model.rotary_emb(embedded, positions)
        return self.lm_head(self.model.mtp_layers[layer].draft(kept[0], embedded, rotary))
