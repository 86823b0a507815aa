"""The multi-token-prediction (MTP) layer with MiMo's inputs.

At position t the layer reads the decoder's hidden state h_t and the embedding of x_{t+1}; its output predicts
x_{t+2} through the shared head. Two inputs differ from megatron-core's own layer. vLLM computes them in this
way, so a draft head trained otherwise would be useless after export:
- h_t is taken *before* the decoder's final norm (mimo.py passes it);
- the embedding is zero at the first position of each document.
"""

import torch
from megatron.core import tensor_parallel
from megatron.core.process_groups_config import ProcessGroupCollection
from megatron.core.transformer.multi_token_prediction import (
    MultiTokenPredictionBlock,
    MultiTokenPredictionLayer,
)
from megatron.core.transformer.spec_utils import build_module
from megatron.core.transformer.transformer_config import TransformerConfig
from torch import Tensor

from pretrain.model.attention import Documents


def shift_within_documents(values: Tensor, starts: Tensor, fill: int | float = 0) -> Tensor:
    """Shift values [b, s] one position to the left, without crossing a document boundary.

    The last position of each document and of each row becomes `fill`:
    values [A0 A1 A2 B0 B1], starts [1 0 0 1 0] -> [A1 A2 fill B1 fill].
    """
    shifted = torch.full_like(values, fill)
    shifted[:, :-1] = values[:, 1:].masked_fill(starts[:, 1:], fill)
    return shifted


def append_copies(mtp: MultiTokenPredictionBlock, num_copies: int) -> None:
    """Append copies of the first MTP layer; each copy predicts one position further than the layer before."""
    first = mtp.layers[0]
    weight, groups = first.eh_proj.weight, ProcessGroupCollection.use_mpu_process_groups()
    for number in range(num_copies):
        layer = build_module(
            mtp.submodules.layer_specs[0], config=mtp.config, layer_number=number + 2, pg_collection=groups
        )
        layer.to(weight.device, weight.dtype).load_state_dict(first.state_dict())
        mtp.layers.append(layer)


class MimoMtpLayer(MultiTokenPredictionLayer):
    """megatron-core's MTP layer (same modules, same parameter names) with MiMo's inputs."""

    def __init__(
        self,
        config: TransformerConfig,
        submodules: object,
        zero_first_embedding: bool,
        layer_number: int = 1,
        vp_stage: int | None = None,
        pg_collection: object = None,
    ) -> None:
        super().__init__(config, submodules, layer_number, vp_stage, pg_collection)
        self.zero_first_embedding = zero_first_embedding

    def forward(
        self,
        hidden: Tensor,
        next_tokens: Tensor,
        documents: Documents,
        rotary_pos_emb: Tensor,
        embedding: torch.nn.Module,
    ) -> Tensor:
        """Return the normed output [s, b, h] for hidden states h_t [s, b, h] and tokens x_{t+1} [b, s]."""
        embedded = embedding(input_ids=next_tokens, position_ids=None)  # [s, b, h]
        if self.zero_first_embedding:
            embedded = embedded.masked_fill(documents.starts.t().unsqueeze(-1), 0.0)

        def run(hidden: Tensor, embedded: Tensor) -> Tensor:
            return self._proj_and_transformer_layer(
                hidden, embedded, rotary_pos_emb=rotary_pos_emb, packed_seq_params=documents
            )

        if self.config.recompute_granularity == "full" and self.training:
            return tensor_parallel.checkpoint(run, False, hidden, embedded)
        return run(hidden, embedded)
