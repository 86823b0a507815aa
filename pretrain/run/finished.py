"""The finished stages of a run: which there are, and the model that ends one."""

from configs.contract import ContractError
from configs.recipe import NUM_STAGES, ModelConfig, StageConfig
from pretrain.model.mimo import MimoModel, build_model
from pretrain.plan.layout import TrainConfig
from pretrain.run import checkpoint


def finished_stages(root: str) -> dict[int, str]:
    """Digest of the checkpoint of every finished stage, in order. Raises ContractError if there is none."""
    digests = {n: checkpoint.digest(root, n) for n in range(1, NUM_STAGES + 1)}
    found = {n: digest for n, digest in digests.items() if digest is not None}
    if not found:
        raise ContractError(f"{root}/checkpoints: no finished stage; remedy: run make stage1 first")
    return found


def whole_model(model: ModelConfig, stage: StageConfig, config: TrainConfig) -> MimoModel:
    """All layers in this process, not trained, for a stage's rows and RoPE base.

    The caller has run launch.start or launch.start_alone.
    """
    return build_model(
        model,
        sequence_length=stage.sequence_length,
        rotary_base=stage.rotary_base,
        bf16=config.precision == "bf16",
    )


def finished_model(
    root: str, number: int, model: ModelConfig, stage: StageConfig, config: TrainConfig
) -> MimoModel:
    """whole_model with the weights that end stage `number`, whatever parallelism wrote them."""
    built = whole_model(model, stage, config)
    checkpoint.load_weights(root, number, built)
    return built
