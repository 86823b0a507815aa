"""Find the posts of forum pages by their markup.

The known engines are StackExchange, Discourse, phpBB, XenForo, vBulletin, and pages with schema.org
microdata.
"""

import re
from dataclasses import dataclass

from lxml import etree

from pipeline.extraction.tree.tree import Inventory, class_of


@dataclass(frozen=True)
class Turn:
    """One post; `body` is the element that holds its text."""

    role: str
    author: str
    score: int | None
    accepted: bool
    title: str
    body: etree._Element


def _has(name: str) -> str:
    return f"contains(concat(' ',normalize-space(@class),' '),' {name} ')"


# XPaths of a post, its text and its author; one group per engine, the most specific first.
_ENGINES = tuple(
    (etree.XPath(post), etree.XPath(body), etree.XPath(author))
    for post, body, author in (
        (
            f"//div[({_has('question')} or {_has('answer')}) and (@data-questionid or @data-answerid or "
            f"@id='question')]",
            f".//div[{_has('js-post-body')} or {_has('post-text')} or {_has('s-prose')}]",
            f".//div[{_has('post-signature')} or "
            f"{_has('user-details')}][last()]//a[contains(@href,'/users/')]"
            f"|.//*[@itemprop='author']//*[@itemprop='name']",
        ),
        (
            f"//*[{_has('topic-body')} or ({_has('topic-post')}) or "
            f"@itemtype='http://schema.org/DiscussionForumPosting' and @id]",
            f".//div[{_has('cooked')} or @itemprop='articleBody' or @itemprop='text']",
            f".//*[@itemprop='author']//*[@itemprop='name']|.//*[{_has('username')}]//a"
            f"|.//*[{_has('creator')}]//a",
        ),
        (
            f"//div[{_has('post')} and .//div[{_has('postbody')}]]",
            f".//div[{_has('postbody')}]//div[{_has('content')}]",
            f".//*[{_has('author')}]//a[{_has('username')} or {_has('username-coloured')}]"
            f"|.//dl[{_has('postprofile')}]//a",
        ),
        (
            f"//article[{_has('message')} and .//*[{_has('bbWrapper')}]]",
            f".//*[{_has('bbWrapper')}]",
            f".//*[{_has('message-name')}]//*[{_has('username')}]|.//*[{_has('username')}]",
        ),
        (
            "//li[starts-with(@id,'post_')]"
            "|//table[starts-with(@id,'post') and .//div[starts-with(@id,'post_message_')]]",
            ".//div[starts-with(@id,'post_message_')]|.//blockquote[contains(@class,'postcontent')]",
            f".//*[{_has('bigusername')} or {_has('username')}]",
        ),
        (
            "//*[@itemprop='mainEntity' and contains(@itemtype,'schema.org/Question')]"
            "|//*[(@itemprop='acceptedAnswer' or @itemprop='suggestedAnswer') and "
            "contains(@itemtype,'schema.org/Answer')]",
            ".//*[@itemprop='text']",
            ".//*[@itemprop='author']//*[@itemprop='name']|.//*[@itemprop='author'][not(*)]",
        ),
    )
)
# Classes that pages of each engine have, so that other pages are not searched; "" for markup without classes.
_SIGNS = (
    ("js-post-body", "post-text", "s-prose"),
    ("cooked", "topic-body", "topic-post"),
    ("postbody",),
    ("bbWrapper",),
    ("bigusername", "postcontent"),
    ("",),
)
_MICRODATA = "schema.org/Answer"
_SCORE = etree.XPath(f".//*[@itemprop='upvoteCount' or {_has('js-vote-count')} or {_has('vote-count-post')}]")
_TITLE = etree.XPath(
    f"//h1[@itemprop='name']|//*[@id='question-header']//h1|//h1[{_has('p-title-value')}]"
    f"|//h2[{_has('topic-title')}]"
    f"|//h1[{_has('topic-title')}]|//div[@id='topic-title']//h1|//*[{_has('threadtitle')}]|//h1"
)


def turns_of_page(tree: etree._Element, page: str, inventory: Inventory) -> list[Turn]:
    """Return the posts that the first matching engine finds, in page order; [] if there is no thread."""
    for signs, (posts_of, body_of, author_of) in zip(_SIGNS, _ENGINES, strict=True):
        if not any(sign in inventory.classes if sign else _MICRODATA in page for sign in signs):
            continue
        posts = posts_of(tree)
        if not posts:
            continue
        turns = []
        for place, post in enumerate(posts):
            bodies = [body for body in body_of(post) if _nearest(body, posts) is post]
            if bodies:
                turns.append(_turn(post, bodies[0], author_of(post), place, tree))
        if len(turns) > 1:
            return turns
    return []


def _nearest(body: etree._Element, posts: list[etree._Element]) -> etree._Element | None:
    for ancestor in body.iterancestors():
        if ancestor in posts:
            return ancestor
    return None


def _turn(
    post: etree._Element,
    body: etree._Element,
    authors: list[etree._Element],
    place: int,
    tree: etree._Element,
) -> Turn:
    classes = class_of(post).split()
    is_answer = "answer" in classes or "Answer" in post.get("itemtype", "")
    is_question = "question" in classes or "Question" in post.get("itemtype", "")
    role = "Answer" if is_answer else "Question" if is_question else "Post" if place else "Question"
    accepted = (
        "accepted-answer" in classes
        or "js-accepted-answer" in classes
        or post.get("itemprop") == "acceptedAnswer"
    )
    author = _line(authors[-1]) if authors else ""
    titles = _TITLE(tree) if place == 0 else []
    return Turn(role, author[:80], _votes_of(post), accepted, _line(titles[0]) if titles else "", body)


def _votes_of(post: etree._Element) -> int | None:
    for element in _SCORE(post):
        value = (
            (element.get("content") or element.get("data-value") or "".join(element.itertext()))
            .strip()
            .replace(",", "")
        )
        if re.fullmatch(r"[-+]?\d{1,7}", value):
            return int(value)
    return None


def _line(element: etree._Element) -> str:
    return " ".join("".join(element.itertext()).split())
