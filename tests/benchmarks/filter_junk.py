"""Junk for bench_filters.py and gate_filters.py, from word lists and a seed: some kinds, many shapes each.

A kind is what a reader would call it; a shape is how one site or program writes it. Rules that were tuned on
one shape only meet the others here.
"""

import json
import random
from collections.abc import Callable

Maker = Callable[[random.Random], str]

_WORDS = str.split(
    "account agency album apple arrow autumn badge bakery banner basket beach bicycle border bottle "
    "bridge bucket budget button cabin camera candle canvas carbon carpet castle cattle cellar "
    "cheese cherry circle client coffee copper corner cotton couple credit dealer design desert "
    "dinner doctor dollar dragon driver editor engine estate fabric family farmer filter finger "
    "flight flower forest garden guitar hammer harbor hockey holiday insurance island jacket jersey "
    "kitchen ladder laptop leader leather lemon letter lounge luxury magnet market meadow mirror"
)
_PLACES = str.split(
    "London Paris Berlin Madrid Boston Chicago Houston Denver Austin Dallas Miami Seattle Oslo"
)
_LINKS = str.split(
    "Home About Contact Login Register Shop Cart Blog FAQ Sitemap Careers Press Help Search News"
)
_LATIN = str.split(
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et "
    "dolore magna aliqua enim ad minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea "
    "commodo consequat perspiciatis unde omnis iste natus error voluptatem accusantium doloremque totam rem"
)
_HAN_WORDS = str.split(
    "苹果 电脑 手机 房屋 汽车 保险 旅游 酒店 机票 美食 服装 鞋帽 家具 图书 音乐 电影 游戏 体育 "
    "新闻 财经 科技 教育 健康 医院 律师 装修 建材 物流 快递 招聘 培训 考试 留学 签证 婚庆 摄影 "
    "花店 宠物 母婴 玩具 珠宝 手表 数码 家电"
)
_HAN_LINKS = str.split(
    "首页 关于我们 联系方式 网站地图 免责声明 会员登录 免费注册 购物车 帮助中心 友情链接 下一页"
)


def junk_classes(seed: int = 1, num_documents: int = 200) -> dict[str, list[str]]:
    """Kind -> documents, its shapes in turn; deterministic under the seed."""
    classes = {}
    for kind, shapes in _KINDS.items():
        rng = random.Random(f"{seed} {kind}")
        classes[kind] = [shapes[number % len(shapes)](rng) for number in range(num_documents)]
    return classes


def _words(join: Callable[[random.Random, list[str]], str], words: list[str] = _WORDS) -> Maker:
    return lambda rng: join(rng, rng.choices(words, k=rng.randint(80, 400)))


def _lines(line: Callable[[random.Random, int], str], lowest: int = 20, highest: int = 120) -> Maker:
    return lambda rng: "\n".join(line(rng, number) for number in range(rng.randint(lowest, highest)))


def _fenced(make: Maker) -> Maker:
    return lambda rng: f"```\n{make(rng)}\n```"


def _name(rng: random.Random) -> str:
    return " ".join(rng.choices(_WORDS, k=2))


def _link(rng: random.Random) -> str:
    return rng.choice(_LINKS) if rng.random() < 0.5 else _name(rng).title()


def _seo(rng: random.Random) -> str:
    thing, place = rng.choice(_WORDS), rng.choice(_PLACES)
    sentences = [
        f"Buy the best {thing} in {place} with the cheapest {thing} deals.",
        f"Our {thing} {place} is the best {thing} for you.",
        f"Looking for {thing} {place}? Best {thing} {place} here!",
        f"{thing} {place}, cheap {thing}, best {thing}, {thing} online, {thing} near me.",
    ]
    return " ".join(rng.choices(sentences, k=rng.randint(15, 60)))


def _seo_places(rng: random.Random) -> str:
    thing = rng.choice(_WORDS)
    sentences = (
        "If you are looking for {} in {}, you have come to the right place.",
        "Our {} in {} is the best that money can buy.",
        "Call today for the best {} in {} and save big.",
        "There is no better choice than our {} when you live in {}.",
        "Get a free quote for {} in {} now!",
    )
    return " ".join(
        rng.choice(sentences).format(thing, rng.choice(_PLACES)) for _ in range(rng.randint(20, 60))
    )


def _lorem(rng: random.Random, first: str, between: str = " ") -> str:
    sentences = [first] if first else []
    for _ in range(rng.randint(10, 40)):
        sentences.append(" ".join(rng.choices(_LATIN, k=rng.randint(6, 14))).capitalize() + ".")
    return between.join(sentences)


_WORD_LISTS: tuple[Maker, ...] = (
    *(_words(lambda rng, words: rng.choice((", ", " ", "\n", "; ", " | ")).join(words)) for _ in range(3)),
    _words(lambda rng, words: ";\n".join(words)),
    _words(lambda rng, words: " ".join("#" + word for word in words)),
    _words(lambda rng, words: "\n".join(rng.choice(("- ", "* ")) + word for word in words)),
    _words(lambda rng, words: "\n".join(f"{number}. {word}" for number, word in enumerate(words, 1))),
    _words(lambda rng, words: ",\n".join(f'"{word}"' for word in words)),
    _words(lambda rng, words: "\n".join(f"`{word}`" for word in words)),
    _words(lambda rng, words: ", ".join(f"`{word}`" for word in words)),
    _words(lambda rng, words: "\n".join(f"{word} ({rng.randint(1, 99)})" for word in words)),
    _words(
        lambda rng, words: ";\n".join("; ".join(words[at : at + 6]) for at in range(0, len(words), 6)) + ";"
    ),
)
_SEO: tuple[Maker, ...] = (
    _seo,
    _seo_places,
    lambda rng: _seo_places(rng).replace(". ", ".\n").replace("! ", "!\n"),
    _lines(lambda rng, _: f"{rng.choice(_WORDS)} {rng.choice(_PLACES)}", 60, 200),
    lambda rng: ", ".join(f"best {_name(rng)} {rng.choice(_PLACES)}" for _ in range(rng.randint(40, 120))),
)
_MENUS: tuple[Maker, ...] = (
    _lines(lambda rng, _: rng.choice(("", "- ", "> ")) + _link(rng) + rng.choice(("", " »", " (12)")), 30),
    _lines(lambda rng, _: f"- [{(link := _link(rng))}](/{link.lower().replace(' ', '-')})", 30),
    _lines(lambda rng, _: " " * rng.choice((0, 2, 4)) + "* " + _link(rng), 30),
    lambda rng: rng.choice((" | ", " > ", "  ", " · ")).join(_link(rng) for _ in range(rng.randint(40, 120))),
    _lines(lambda rng, _: f"{_link(rng)} ({rng.randint(1, 999)})", 30),
    _lines(lambda rng, _: _link(rng) + rng.choice((";", "];", ");", " (")), 30),
    _lines(lambda rng, number: f"[{_link(rng)}](?page={number}&id={rng.randint(1, 99)})", 30),
)
_LOREM: tuple[Maker, ...] = (
    lambda rng: _lorem(rng, "Lorem ipsum dolor sit amet, consectetur adipiscing elit."),
    lambda rng: _lorem(rng, "Sed ut perspiciatis unde omnis iste natus."),
    lambda rng: _lorem(rng, "# Lorem Ipsum\n\nLorem ipsum dolor sit amet.", "\n\n"),
    lambda rng: "- " + _lorem(rng, "", "\n- "),
)
_LISTINGS: tuple[Maker, ...] = (
    _lines(
        lambda rng, number: (
            f"{number:05d} {_name(rng)} | ${rng.randint(1, 999)}.99 | 2024-01-0{number % 9 + 1}"
        )
    ),
    _lines(lambda rng, _: f"{_name(rng).title()} - ${rng.randint(1, 999)}.00 - In stock - Add to cart"),
    _lines(lambda rng, number: f"{number},{_name(rng)},{rng.random():.4f},{rng.randint(0, 1)}"),
    _lines(lambda rng, number: f"| {number} | {_name(rng)} | {rng.randint(0, 10**6)} |"),
    _lines(
        lambda rng, _: (
            f"2024-03-11 12:0{rng.randint(0, 9)} [INFO] {_name(rng)}: took {rng.randint(1, 999)} ms"
        )
    ),
    _lines(lambda rng, _: f"{rng.choice(_WORDS)} = {rng.randint(0, 10**6)}"),
    _lines(lambda rng, number: f"{rng.choice(_WORDS)}_{number} = {rng.randint(0, 10**6)};"),
    _lines(lambda rng, number: json.dumps({"id": number, "name": _name(rng), "v": rng.randint(0, 999)})),
    _lines(
        lambda rng, number: f"-rw-r--r-- 1 root root {rng.randint(1, 10**6)} Jan 11 12:00 {_name(rng)}.txt"
    ),
    _lines(lambda rng, number: f'<item id="{number}"><name>{_name(rng)}</name></item>'),
    _lines(lambda rng, number: f"INSERT INTO {rng.choice(_WORDS)} VALUES ({number}, '{_name(rng)}', 1.5);"),
    _lines(lambda rng, _: f"{rng.randint(1, 99)} + {rng.randint(1, 99)} = {rng.randint(1, 199)}"),
    _lines(lambda rng, number: f"https://www.{rng.choice(_WORDS)}.com/{rng.choice(_WORDS)}/{number}"),
    _fenced(_lines(lambda rng, _: f"SKU{rng.randint(1, 10**6)} {_name(rng)} {rng.randint(1, 99)}")),
    lambda rng: " ".join(f"{rng.choice(_WORDS)}={rng.randint(1, 9999)}" for _ in range(rng.randint(80, 300))),
    lambda rng: "&".join(f"{rng.choice(_WORDS)}={rng.randint(1, 9999)}" for _ in range(rng.randint(80, 300))),
)
_CHINESE: tuple[Maker, ...] = (
    _words(lambda rng, words: rng.choice(("、", " ", "\n", "，", " | ")).join(words), _HAN_WORDS),
    _lines(lambda rng, _: rng.choice((*_HAN_LINKS, *_HAN_WORDS)), 40),
    lambda rng: " > ".join(rng.choices((*_HAN_LINKS, *_HAN_WORDS), k=rng.randint(60, 150))),
    lambda rng: "".join(
        f"{word}价格，{word}批发，哪家{word}最便宜？"
        for word in rng.choices(rng.sample(_HAN_WORDS, 3), k=rng.randint(20, 60))
    ),
    _lines(lambda rng, number: f"{number}. {rng.choice(_HAN_WORDS)} 价格：{rng.randint(1, 999)}元 有货"),
)
_KINDS: dict[str, tuple[Maker, ...]] = {
    "word lists": _WORD_LISTS,
    "SEO": _SEO,
    "menus": _MENUS,
    "lorem ipsum": _LOREM,
    "listings": _LISTINGS,
    "Chinese junk": _CHINESE,
}
