"""MiMo with one MTP layer in plain PyTorch, from the formulas; the tests' oracle, on no code of ours.

Weights are a dict under MiMo's Hugging Face names. Documents are run one at a time, each from position 0.
"""

import itertools
import math

import torch
import torch.nn.functional as F


def rms_norm(x, gain, epsilon):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * gain


def rotate(x, base):
    """x [heads, s, d]: pairs (i, i + d/2) turned by position * base^(-2i/d)."""
    length, dim = x.shape[-2:]
    angle = torch.outer(torch.arange(length).float(), base ** (-torch.arange(0, dim, 2).float() / dim))
    cos, sin = angle.cos(), angle.sin()
    first, second = x[..., : dim // 2], x[..., dim // 2 :]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def decoder_layer(w, name, x, cfg, base):
    """x [s, h] -> [s, h]."""
    length = x.shape[0]
    y = rms_norm(x, w[f"{name}.input_layernorm.weight"], cfg.norm_epsilon)
    heads = []
    for letter in "qkv":
        out = y @ w[f"{name}.self_attn.{letter}_proj.weight"].T + w[f"{name}.self_attn.{letter}_proj.bias"]
        heads.append(out.view(length, -1, cfg.head_dim).transpose(0, 1))  # [n, s, d]
    q, k, v = rotate(heads[0], base), rotate(heads[1], base), heads[2]
    repeat = cfg.num_attention_heads // cfg.num_query_groups
    k, v = k.repeat_interleave(repeat, 0), v.repeat_interleave(repeat, 0)
    scores = q @ k.transpose(-1, -2) / math.sqrt(cfg.head_dim)
    scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), -math.inf)
    mixed = (scores.softmax(-1) @ v).transpose(0, 1).reshape(length, -1)
    x = x + mixed @ w[f"{name}.self_attn.o_proj.weight"].T
    y = rms_norm(x, w[f"{name}.post_attention_layernorm.weight"], cfg.norm_epsilon)
    gate, up = (y @ w[f"{name}.mlp.{part}_proj.weight"].T for part in ("gate", "up"))
    return x + (F.silu(gate) * up) @ w[f"{name}.mlp.down_proj.weight"].T


def document_logits(w, tokens, cfg, base):
    """One document's tokens [s] -> main and MTP logits, [s, v] each (x_{t+1} of the last one is id 0)."""
    x = w["model.embed_tokens.weight"][tokens]
    for n in range(cfg.num_layers):
        x = decoder_layer(w, f"model.layers.{n}", x, cfg, base)
    main = rms_norm(x, w["model.norm.weight"], cfg.norm_epsilon) @ w["lm_head.weight"].T
    m = "model.mtp_layers.0"
    following = torch.cat([tokens[1:], torch.zeros(1, dtype=tokens.dtype)])
    embedded = w["model.embed_tokens.weight"][following]
    embedded = torch.cat([torch.zeros_like(embedded[:1]), embedded[1:]])
    both = torch.cat(
        [
            rms_norm(x, w[f"{m}.hidden_layernorm.weight"], cfg.norm_epsilon),
            rms_norm(embedded, w[f"{m}.token_layernorm.weight"], cfg.norm_epsilon),
        ],
        -1,
    )
    y = decoder_layer(w, m, both @ w[f"{m}.input_proj.weight"].T, cfg, base)
    draft = rms_norm(y, w[f"{m}.final_layernorm.weight"], cfg.norm_epsilon) @ w["lm_head.weight"].T
    return main, draft


def losses(w, cfg, base, rows):
    """Mean main and MTP cross-entropy over rows of (tokens, labels, mask, starts), each [s]."""
    sums, counts = [0.0, 0.0], [0, 0]
    for tokens, labels, mask, starts in rows:
        begins = [0, *[i for i in range(1, len(tokens)) if starts[i]], len(tokens)]
        for begin, end in itertools.pairwise(begins):
            main, draft = document_logits(w, tokens[begin:end], cfg, base)
            for t in range(end - begin):
                if mask[begin + t]:
                    sums[0] = sums[0] - main[t].log_softmax(-1)[labels[begin + t]]
                    counts[0] += 1
                if begin + t + 1 < end and mask[begin + t + 1]:
                    sums[1] = sums[1] - draft[t].log_softmax(-1)[labels[begin + t + 1]]
                    counts[1] += 1
    return sums[0] / counts[0], sums[1] / counts[1]
