"""Extract threads, whose content is turns of several authors, as Markdown turns.

There are two sources. A page can mark its turns (schema.org Question, Answer and Comment; the classes of the
big forum engines). A thread from a dump (`kind` thread) is one JSON object with `question` or `posts`.
"""

import json

from pipeline.extraction.encodings import clean
from pipeline.extraction.result import Extraction
from pipeline.extraction.tree.markdown import to_markdown
from pipeline.extraction.tree.slots import FORMULAS
from pipeline.extraction.web.forum_engines import turns_of_page
from pipeline.extraction.web.page import Page, read

# Our choice: a single turn is an article, not a thread.
MIN_TURNS = 2


def thread_blocks(page: Page) -> tuple[str, list[int]] | None:
    """Return the thread as Markdown with placeholders of the page's slots, and the numbers of its pieces.

    The result is None if the page is not a thread.
    """
    slots = page.slots
    turns = turns_of_page(page.tree, page.source, page.inventory)
    written = [(turn, to_markdown(turn.body, slots)) for turn in turns]
    written = [(turn, text) for turn, text in written if text]
    if len(written) < MIN_TURNS:
        return None
    title = next((turn.title for turn, _ in written if turn.title), "")
    blocks = [f"# {title}"] if title else []
    for turn, text in written:
        blocks += [turn_heading(turn.role, turn.author, turn.accepted, turn.score), text]
    text = "\n\n".join(blocks)
    return text, slots.numbers(text)


def turn_heading(role: str, author: str, accepted: bool, score: int | None) -> str:
    """Return the heading of a turn: `### Answer by ann (accepted, score 30)`."""
    notes = (["accepted"] if accepted else []) + ([f"score {score}"] if score is not None else [])
    return f"### {role}" + (f" by {author}" if author else "") + (f" ({', '.join(notes)})" if notes else "")


def extract_thread(data: bytes) -> Extraction:
    """Extract a thread from a dump.

    The dump is `{"title", "posts": [{"role", "author", "score", "accepted", "body" (HTML) or "text"}]}`,
    `{"question": {...}, "answers": [...]}` or a plain list of posts. Raises ValueError if it is none of
    these.
    """
    title, posts = _posts_of(json.loads(data))
    blocks = [f"# {title}"] if title else []
    seen = kept = math = 0
    for place, post in enumerate(posts):
        text, code_blocks, formulas = _post_text(post)
        if not text:
            continue
        seen, kept, math = seen + code_blocks, kept + code_blocks, math + formulas
        role = str(post.get("role") or ("Question" if place == 0 else "Post")).capitalize()
        author = post.get("author") or ""
        score = post.get("score")
        blocks += [
            turn_heading(
                role, str(author), bool(post.get("accepted")), score if isinstance(score, int) else None
            ),
            text,
        ]
    text = clean("\n\n".join(blocks)).strip() if len(blocks) > (1 if title else 0) else ""
    return Extraction(text, title, seen, kept, math, math, "forum")


def _posts_of(thread: object) -> tuple[str, list[dict[str, object]]]:
    """Return (title, posts) of a dump."""
    if isinstance(thread, list):
        thread = {"posts": thread}
    if not isinstance(thread, dict):
        raise ValueError(f"a thread is a JSON object or list, not {type(thread).__name__}")
    posts = thread.get("posts")
    title = thread.get("title")
    if posts is None and isinstance(thread.get("question"), dict):
        title = title or thread["question"].get("title")
        answers = [
            {"role": "Answer", **answer} for answer in thread.get("answers") or [] if isinstance(answer, dict)
        ]
        posts = [{"role": "Question", **thread["question"]}, *answers]
    if not isinstance(posts, list):
        raise ValueError("a thread has a list `posts`, or `question` and `answers`")
    return str(title or ""), [post for post in posts if isinstance(post, dict)]


def _post_text(post: dict[str, object]) -> tuple[str, int, int]:
    """Return (Markdown, code blocks, formulas) of one post; `body` is HTML, `text` is already Markdown."""
    body = post.get("body")
    if not isinstance(body, str):
        return str(post.get("text") or post.get("body_markdown") or "").strip(), 0, 0
    # The class makes TeX between delimiters count as formulas, as the site's renderer treats it.
    page = read(f"<body class='mathjax'>{clean(body)}</body>")
    if page is None:
        return "", 0, 0
    text = page.slots.restore(to_markdown(page.tree, page.slots))
    return text, page.slots.seen("code"), page.slots.seen(*FORMULAS) + page.slots.num_unreadable
