"""MiMo's decoder with its MTP layer (arXiv:2505.07608), as a megatron-core GPTModel.

The layers are Transformer Engine's where it is installed, else megatron-core's local ones with torch's
RMSNorm; in both cases attention.py computes the attention. The forward pass returns losses, not logits
(loss.py).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from megatron.core import parallel_state
from megatron.core.distributed import finalize_model_grads
from megatron.core.models.backends import LocalSpecProvider
from megatron.core.models.common.embeddings.rotary_pos_embedding import RotaryEmbedding
from megatron.core.models.gpt import GPTModel
from megatron.core.models.gpt.gpt_layer_specs import (
    get_gpt_layer_local_spec,
    get_gpt_layer_with_transformer_engine_spec,
)
from megatron.core.tensor_parallel import gather_from_tensor_model_parallel_region
from megatron.core.tensor_parallel import random as tensor_parallel_random
from megatron.core.transformer.multi_token_prediction import (
    HAVE_TE,
    MultiTokenPredictionBlockSubmodules,
    MultiTokenPredictionLayerSubmodules,
)
from megatron.core.transformer.spec_utils import ModuleSpec
from megatron.core.transformer.transformer_block import TransformerBlockSubmodules, get_num_layers_to_build
from megatron.core.transformer.transformer_config import TransformerConfig
from megatron.core.utils import get_attr_wrapped_model
from torch import Tensor

from configs.recipe import ModelConfig
from pretrain.model import compat, weight_gradient
from pretrain.model.attention import DocumentAttention, Documents, documents_of
from pretrain.model.batch import Batch
from pretrain.model.context_parallel import local
from pretrain.model.fused_layer import FusedLayer, is_supported
from pretrain.model.loss import Head, Losses, chunked_cross_entropy, mtp_targets
from pretrain.model.mtp import MimoMtpLayer, shift_within_documents
from pretrain.plan.layout import check_split


class DecoderStates(NamedTuple):
    """The decoder's output, from which the main head and the MTP layer are computed."""

    hidden: Tensor
    """[s, b, h] after the final norm: the input of the output layer."""
    for_draft: Tensor
    """[s, b, h]: the input of the MTP layer."""
    documents: Documents
    rotary_pos_emb: Tensor


class MimoModel(GPTModel):
    """A GPTModel whose forward pass takes a Batch and returns losses or hidden states, never logits."""

    def __init__(self, model: ModelConfig, config: TransformerConfig, rotary_base: int, **arguments: object):
        super().__init__(
            config=config,
            vocab_size=model.padded_vocab_size,
            share_embeddings_and_output_weights=False,
            position_embedding_type="rope",
            rotary_base=rotary_base,
            **arguments,
        )
        self.rotary_pos_emb.cp_group = None  # builds the whole table, which `local` cuts later
        self.model_config = model
        self._before_final_norm: Tensor | None = None
        if self.decoder.final_layernorm is not None:
            self.decoder.final_layernorm.register_forward_pre_hook(self._keep_norm_input)

    def _keep_norm_input(self, norm: torch.nn.Module, inputs: tuple[Tensor]) -> None:
        self._before_final_norm = inputs[0]

    def forward(
        self, batch: Batch, loss_scales: tuple[float, float] | None = None
    ) -> Losses | DecoderStates | Tensor:
        """Run this pipeline stage. Every stage but the last returns hidden states [s, b, h] for the next one.

        The last stage returns Losses if `loss_scales` (main, MTP) is given, else DecoderStates, which `draft`
        and `logits` take.
        """
        with compat.plain_functions():
            return self._forward(batch, loss_scales)

    def _forward(
        self, batch: Batch, loss_scales: tuple[float, float] | None
    ) -> Losses | DecoderStates | Tensor:
        documents = documents_of(batch.document_starts, batch.cu_seqlens, self.config.params_dtype)
        embedded = self.embed(local(batch.tokens, 1)) if self.pre_process else None
        decoder_input, rotary_pos_emb = self._preprocess(None, None, embedded, packed_seq_params=documents)[
            :2
        ]
        states = self.decode(decoder_input, documents, local(rotary_pos_emb, 0))
        if not self.post_process:
            return states.hidden
        return states if loss_scales is None else self._losses(states, batch, loss_scales)

    def embed(self, input_ids: Tensor, position_ids: None = None) -> Tensor:
        """Return the embeddings [s, b, h] of tokens [b, s]."""
        if self.training and is_supported(input_ids.device):
            return weight_gradient.lookup(self.embedding.word_embeddings.weight, input_ids)
        return self.embedding(input_ids=input_ids, position_ids=position_ids)

    def decode(self, embedded: Tensor, documents: Documents, rotary_pos_emb: Tensor) -> DecoderStates:
        """Run this pipeline stage's decoder layers on [s, b, h]; `rotary_pos_emb` holds the rotary angles."""
        hidden = self.decoder(embedded, None, rotary_pos_emb=rotary_pos_emb, packed_seq_params=documents)
        before_norm, self._before_final_norm = self._before_final_norm, None
        for_draft = before_norm if self.model_config.mtp_hidden == "mimo" else hidden
        return DecoderStates(hidden, for_draft, documents, rotary_pos_emb)

    def draft(self, states: DecoderStates, following: Tensor, number: int = 0) -> Tensor:
        """Return the hidden states [s, b, h] of MTP layer `number`; their logits predict x_{t + number + 2}.

        following: tokens x_{t + number + 1}, [b, s]. Pretraining has layer 0 only.
        """
        layer = self.mtp.layers[number]
        return layer(states.for_draft, following, states.documents, states.rotary_pos_emb, self.embed)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits [..., vocab_size] of hidden states [..., h]; every rank gets all of them."""
        # [..., v / tp] -> [..., v]
        logits = gather_from_tensor_model_parallel_region(hidden @ self.output_layer.weight.t())
        return logits[..., : self.model_config.vocab_size]

    def _losses(self, states: DecoderStates, batch: Batch, scales: tuple[float, float]) -> Losses:
        heads = [Head(states.hidden, local(batch.labels, 1), local(batch.loss_mask, 1), scales[0])]
        if self.mtp_process:
            next_tokens = local(shift_within_documents(batch.tokens, batch.document_starts), 1)
            labels, mask = (local(target, 1) for target in mtp_targets(batch))
            heads.append(Head(self.draft(states, next_tokens), labels, mask, scales[1]))
        losses = chunked_cross_entropy(self.output_layer.weight, heads, self.model_config.vocab_size)
        if not self.mtp_process:
            return Losses(losses.total, F.pad(losses.sums, (0, 0, 0, 1)))
        return losses


def build_model(
    model: ModelConfig,
    *,
    sequence_length: int,
    rotary_base: int,
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    bf16: bool = False,
    recompute: bool = False,
) -> MimoModel:
    """Build this rank's pipeline stage, randomly initialised from torch's current seed.

    Call compat.install and initialize_model_parallel first (and, on CUDA, model_parallel_cuda_manual_seed).
    On the CPU the weights do not depend on the tensor-parallel size.
    Raises ConfigError if the model's shape cannot be split evenly.
    """
    check_split(model, tensor_parallel, pipeline_parallel)
    config = transformer_config(
        model,
        tensor_parallel=tensor_parallel,
        pipeline_parallel=pipeline_parallel,
        bf16=bf16,
        recompute=recompute,
    )
    is_last = parallel_state.is_pipeline_last_stage()
    layer = layer_spec()
    built = MimoModel(
        model,
        config,
        rotary_base,
        transformer_layer_spec=_decoder_spec(config, layer),
        max_sequence_length=sequence_length,
        pre_process=parallel_state.is_pipeline_first_stage(),
        post_process=is_last,
        mtp_block_spec=mtp_spec(model, layer) if model.mtp_num_layers and is_last else None,
    )
    if bf16:
        built.bfloat16()  # torch's RMSNorm ignores params_dtype
    return built if not torch.cuda.is_available() else built.cuda()


def start_single_process() -> None:
    """Initialise torch.distributed and megatron-core's process groups for a job of a single process."""
    if not torch.distributed.is_initialized():
        backend = "nccl" if torch.cuda.is_available() else "gloo"
        store = torch.distributed.HashStore()
        torch.distributed.init_process_group(backend, store=store, rank=0, world_size=1)
    if not parallel_state.model_parallel_is_initialized():
        parallel_state.initialize_model_parallel()
    if torch.cuda.is_available():
        tensor_parallel_random.model_parallel_cuda_manual_seed(0, force_reset_rng=True)


def transformer_config(
    model: ModelConfig,
    *,
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    bf16: bool = False,
    recompute: bool = False,
) -> TransformerConfig:
    """Return megatron-core's configuration for this model and this split."""
    has_cuda = torch.cuda.is_available()
    dtype = torch.bfloat16 if bf16 else torch.float32
    return TransformerConfig(
        num_layers=model.num_layers,
        hidden_size=model.hidden_size,
        ffn_hidden_size=model.ffn_hidden_size,
        num_attention_heads=model.num_attention_heads,
        num_query_groups=model.num_query_groups,
        kv_channels=model.head_dim,
        layernorm_epsilon=model.norm_epsilon,
        # Our choice: the output projections of attention and MLP start smaller by sqrt(2 x layers), which is
        # megatron-core's default; the report gives only the standard deviation of 0.02.
        init_method_std=model.init_std,
        mtp_num_layers=model.mtp_num_layers or None,
        normalization="RMSNorm",
        gated_linear_unit=True,
        activation_func=F.silu,
        add_bias_linear=False,
        add_qkv_bias=True,
        attention_dropout=0.0,
        hidden_dropout=0.0,
        tensor_model_parallel_size=tensor_parallel,
        pipeline_model_parallel_size=pipeline_parallel,
        context_parallel_size=parallel_state.get_context_parallel_world_size(),
        params_dtype=dtype,
        pipeline_dtype=dtype,
        bf16=bf16,
        use_cpu_initialization=not has_cuda,
        # Fusions by torch.compile: they gain 5 % on an H200, but cost 1 to 36 s of compilation on a CPU.
        bias_activation_fusion=has_cuda,
        bias_dropout_fusion=has_cuda,
        # These three need apex or Transformer Engine.
        persist_layer_norm=False,
        masked_softmax_fusion=False,
        gradient_accumulation_fusion=False,
        batch_p2p_comm=has_cuda,
        cuda_graph_scope=None,  # the default, "full", is deprecated and means the same
        recompute_granularity="full" if recompute else None,
        recompute_method="uniform" if recompute else None,
        recompute_num_layers=1 if recompute else None,
        calculate_per_token_loss=True,
        finalize_model_grads_func=finalize_model_grads,
    )


def layer_spec() -> ModuleSpec:
    """Return the spec of one decoder layer: Transformer Engine's modules where installed, else torch's."""
    if HAVE_TE:
        spec = get_gpt_layer_with_transformer_engine_spec()
    else:
        spec = get_gpt_layer_local_spec(normalization="RMSNorm")
        spec.module = FusedLayer
    spec.submodules.self_attention.submodules.core_attention = DocumentAttention
    return spec


def mtp_spec(model: ModelConfig, layer: ModuleSpec) -> MultiTokenPredictionBlockSubmodules:
    """Return the spec of the MTP block: one MimoMtpLayer around one decoder layer."""
    backend = _backend()
    norm = backend.layer_norm(rms_norm=True)
    submodules = MultiTokenPredictionLayerSubmodules(
        enorm=norm,
        hnorm=norm,
        eh_proj=backend.column_parallel_linear(),
        transformer_layer=layer,
        layer_norm=norm,
    )
    params = {"zero_first_embedding": model.mtp_zero_first_embedding}
    spec = ModuleSpec(module=MimoMtpLayer, params=params, submodules=submodules)
    return MultiTokenPredictionBlockSubmodules(layer_specs=[spec])


def set_rotary(model: torch.nn.Module, rotary_base: int) -> None:
    """Set the RoPE base that a model (wrapped or not) uses from the next forward pass on.

    This builds a new embedding object, because the old one caches its table.
    """
    inner = get_attr_wrapped_model(model, "rotary_pos_emb", return_model_obj=True)
    inner.rotary_pos_emb = RotaryEmbedding(
        kv_channels=inner.config.kv_channels,
        rotary_percent=1.0,
        rotary_base=rotary_base,
        use_cpu_initialization=inner.config.use_cpu_initialization,
    )
    inner.rotary_pos_emb.cp_group = None


def _backend():
    if not HAVE_TE:
        return LocalSpecProvider()
    from megatron.core.extensions.transformer_engine_spec_provider import TESpecProvider

    return TESpecProvider()


def _decoder_spec(config: TransformerConfig, layer: ModuleSpec) -> TransformerBlockSubmodules:
    # The final norm is given explicitly: the default is a module global that other imports may change.
    return TransformerBlockSubmodules(
        layer_specs=[layer] * get_num_layers_to_build(config), layer_norm=_backend().layer_norm(rms_norm=True)
    )
