"""What is masked and, as important, what is not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.pii import mask_pii

# Assembled, so that no secret scanner takes this file for a leak.
AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB_TOKEN = "ghp_" + "a1B2" * 9
PRIVATE_KEY = f"-----BEGIN RSA {'PRIVATE'} KEY-----\n" + "MIIEow" * 8 + f"\n-----END RSA {'PRIVATE'} KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to jane.doe@gmail.com.", "Write to <EMAIL>."),
        ("in code: `jane@uni-bonn.de`", "in code: `<EMAIL>`"),
        ("from 8.8.8.8 and 2001:4860:4860::8888", "from <IP> and <IP>"),
        ("http://8.8.4.4:8080/x", "http://<IP>:8080/x"),
        ("Call +49 30 1234567 today", "Call <PHONE> today"),
        ("Call (212) 765-4321 or 212-765-4321.", "Call <PHONE> or <PHONE>."),
        ("Tel: 030 1234 567", "Tel: <PHONE>"),
        ("电话：13812345678，或手机 138-1234-5678。", "电话：<PHONE>，或手机 <PHONE>。"),
        (f"id {AWS_KEY} ok", "id <KEY> ok"),
        (f"`{GITHUB_TOKEN}`", "`<KEY>`"),
        (f"```\napi_key = '{'0123456789abcdef' * 2}'\n```", "```\napi_key = '<KEY>'\n```"),
        (f"Authorization: Bearer {'a1B2' * 8}", "Authorization: Bearer <KEY>"),
        (f"password = '{'q7R!' * 4}'", "password = '<KEY>'"),
        (f"a\n{PRIVATE_KEY}\nb", "a\n<KEY>\nb"),
    ],
)
def test_masked(text: str, expected: str) -> None:
    assert mask_pii(text).text == expected


@pytest.mark.parametrize(
    "text",
    [
        "user@example.com and admin@mail.example.org and me@host.local",
        "git@github.com:owner/name.git",
        "y = W@x.reshape(3)",
        "10.0.0.1, 192.168.1.1, 127.0.0.1, ::1, 203.0.113.7",
        "version 1.2.3.4, v8.8.8.8, section 3.1.2.1, 1.2.3.4.5, 8.8.8.8.9",
        "at 12:30:45 on 2020-10-11; MAC ab:cd:ef:01:23:45",
        "std::vector::begin and a::b",
        "ISBN 978-3-16-148410-0, pi is 3.14159265358979",
        "1 + 234 567 890 = 234567891 and 2 +345 678 = 345680",
        "(212) 555-0143 is fiction",
        "$x = 212-765-4321$ and $$8.8.8.8$$",
        "`212-765-4321` and\n```\nip = 8.8.8.8\n```",
        "sk-learn and AKIA are only words",
        "password = 'MySecretPassword1' and password='changeMe12345' and token = 'your-Token-12345'",
        "password: hunter2abcDEF and secret = 'lowercaseonly'",
        "the bearer internationalisation of the ring",
        "电话 和 12345678901 无关",
        "order 212-765-43210 and A212-765-4321",
    ],
)
def test_left_alone(text: str) -> None:
    assert mask_pii(text) == (text, 0, 0, 0, 0)


def test_counts() -> None:
    masked = mask_pii(f"a@web.de b@web.de 9.9.9.9 212-765-4321 {AWS_KEY}")
    assert masked == ("<EMAIL> <EMAIL> <IP> <PHONE> <KEY>", 2, 1, 1, 1)


def test_offsets_after_wide_characters() -> None:
    assert mask_pii("é数🙂 jane@web.de 数").text == "é数🙂 <EMAIL> 数"


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "jane@web.de",
                "8.8.8.8",
                "212-765-4321",
                AWS_KEY,
                "$",
                "`",
                "+1",
                ".",
                " ",
                "é",
                "Tel: 030 1234 567",
                "\n",
            ]
        ),
        max_size=12,
    )
)
def test_masking_twice_changes_nothing(parts: list[str]) -> None:
    once = mask_pii(" ".join(parts))
    assert mask_pii(once.text) == (once.text, 0, 0, 0, 0)
