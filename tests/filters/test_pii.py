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
        ("from 93.184.215.14 and 2606:2800:21f:cb07::1", "from <IP> and <IP>"),
        ("http://93.184.4.4:8080/x", "http://<IP>:8080/x"),
        ("the server 12.4.2.17 and the address 5.6.7.8:443", "the server <IP> and the address <IP>:443"),
        ("ip=93.184.215.14 via 2a02:26f0::5.", "ip=<IP> via <IP>."),
        ("It answers from 2a02:26f0:1:2::", "It answers from <IP>"),
        ("2a02:26f0:1:2:3:4:5:6: no route", "<IP>: no route"),
        ("Call +49 30 1234567 today", "Call <PHONE> today"),
        ("Call 1-212-765-4321 or +1 (212) 765-4321.", "Call <PHONE> or <PHONE>."),
        ("Zentrale: +49 30 1234567-12, Lager +4930 7654321", "Zentrale: <PHONE>, Lager <PHONE>"),
        ("tel 030.1234.567; fax: 212.765.4321", "tel <PHONE>; fax: <PHONE>"),
        ("mail jan@x.com, jan@b.co.uk", "mail <EMAIL>, <EMAIL>"),
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
        "version 1.2.3.4, v7.8.8.8, section 3.1.2.1, 1.2.3.4.5, 8.8.8.8.9",
        "Get Reader 9.4.7.163, release 3.70.1.9, 4.80.2.7 and 5.90.3.8, or firmware 11.0.2.200",
        "OID 2.16.84.1, theorem 7.2.1.30 and Figs. 2.3.4.5, 2.3.4.6; 第 3.2.1.7 节；版本 93.1.2.7",
        "3.12.6.2 Counting the pairs\n\n3.12.6.3 Counting the triples",
        "resolvers 8.8.8.8, 9.9.9.9, 208.67.222.222:53 and 2001:4860:4860::8888; ping 10.9.8.7:80",
        "at 12:30:45 on 2020-10-11; MAC ab:cd:ef:01:23:45; 08:15:30:45 and 1:2:4:8:16:32:64:128",
        "key 2a:03:b4:c5:d6:e7:f8:09:1a:2b:3c:4d:5e:6f:70:81 or 2a03:b4c5:d6e7:f809:1a2b:3c4d:5e6f:7081:9203",
        "geo::point::dist, Shape::area, 2021:10:20:30:40:50:60:70 and fe80::2",
        "y = w@v.to(device); p@q.to; model@batch.to(gpu); react@18.2.0; ci@host; npm i left-pad@1.3.0",
        "The total is +15 250 300 400, about +2.71828182845 or +1.41421356237; +3.1415 926 5358",
        "part 212-765-4321-77, 212.765.4321.5, 212-765-4321 = 212 - 5086, ISBN 212-765-4321",
        "(123) 456-7890, (012) 345-6789, 123.456.7890, 555-765-4321 and 212-555-4321, +1 212 555 4321",
        "Windows Phone 8.10.14219.341, mobile 2019-2021, fax 2.71828182845, phone 2020-01-31",
        "std::vector::begin and a::b",
        "ISBN 978-3-16-148410-0, pi is 3.14159265358979",
        "1 + 234 567 890 = 234567891 and 2 +345 678 = 345680",
        "(212) 555-0143 is fiction",
        "$x = 212-765-4321$ and $$98.8.8.8$$",
        "`212-765-4321` and\n```\nip = 98.8.8.8\n```",
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
    masked = mask_pii(f"a@web.de b@web.de 91.9.9.9 212-765-4321 {AWS_KEY}")
    assert masked == ("<EMAIL> <EMAIL> <IP> <PHONE> <KEY>", 2, 1, 1, 1)


def test_offsets_after_wide_characters() -> None:
    assert mask_pii("é数🙂 jane@web.de 数").text == "é数🙂 <EMAIL> 数"


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "jane@web.de",
                "98.8.8.8",
                "version",
                "and",
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
