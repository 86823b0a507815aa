"""Two damages of each kind to each token file: none reaches the loss (more: chaos_tokens.py)."""

import random

import pytest

from pretrain.plan import token_files, verify_tokens
from tests.pretrain.token_damage import (
    KINDS,
    TARGETS,
    TokenRoot,
    draw,
    older_of,
    read_any_digests,
    restore,
    run_preflight,
    try_damage,
    write_token_root,
)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> TokenRoot:
    return write_token_root(tmp_path_factory.mktemp("tokens"))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_tokens_never_reach_the_loss(tokens: TokenRoot, kind: str, target: str) -> None:
    rng = random.Random(f"{kind} {target}")
    assert [try_damage(tokens, kind, target, rng) for _ in range(2)] == ["", ""]


def test_undamaged_tokens_pass_and_damage_is_undone(tokens: TokenRoot) -> None:
    assert try_damage(tokens, "zero", "*.bin", random.Random(1)) == ""
    assert run_preflight(tokens.path) == ""
    assert draw(tokens.path) == tokens.drawn


def test_the_older_files_are_other_files_of_the_same_size(tokens: TokenRoot) -> None:
    for path, (content, _) in tokens.files.items():
        if path.suffix in (".bin", ".idx"):
            older = older_of(tokens, path).read_bytes()
            assert (len(older), older == content) == (len(content), False)


def test_a_careless_reader_is_seen(tokens: TokenRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (token_files, verify_tokens):
        monkeypatch.setattr(module, "read_digests", read_any_digests)
    rng = random.Random(1)
    found = [try_damage(tokens, kind, "*.bin", rng) for kind in ("flip", "older") for _ in range(8)]
    restore(tokens)
    assert any("preflight passes it" in fault for fault in found)
