"""The finished stages of a run: list them, and load the model that ends one."""

from configs.command import Place
from configs.contract import ContractError
from configs.recipe import NUM_STAGES, ModelConfig, StageConfig
from configs.storage.files import local_folder
from pretrain.model.mimo import MimoModel, build_model
from pretrain.plan.layout import TrainConfig
from pretrain.run import checkpoint


def checkpoint_root(place: Place) -> str:
    """The root whose checkpoints a job reads: the input, or the output if the input is an object store.

    `train` writes them to a folder, its output.
    """
    return place.output if local_folder(place.input) is None else place.input


def finished_stages(root: str) -> dict[int, str]:
    """Return the digest of the final checkpoint of every finished stage, in order of stages.

    Raises ContractError if no stage is finished.
    """
    digests = {n: checkpoint.digest(root, n) for n in range(1, NUM_STAGES + 1)}
    found = {n: digest for n, digest in digests.items() if digest is not None}
    if not found:
        raise ContractError(f"{root}/checkpoints: no finished stage; remedy: run make stage1 first")
    return found


def whole_model(model: ModelConfig, stage: StageConfig, config: TrainConfig) -> MimoModel:
    """Build all layers in this process, untrained, for a stage's sequence length and RoPE base.

    Call launch.start or launch.start_alone first.
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
    """Build `whole_model` with the weights that end stage `number`, written under any parallel layout."""
    built = whole_model(model, stage, config)
    checkpoint.load_weights(root, number, built)
    return built
