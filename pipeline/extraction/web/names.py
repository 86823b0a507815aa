"""Classify an element by its class names, id and role: boilerplate, content, or unknown.

Authors of different pages use the same names for the same parts; the lists below hold those names. A name is
split into words at case changes, hyphens and underscores; words written together are found as substrings.
Answers are cached, because a page repeats its names.
"""

import re
from functools import lru_cache

_WORD = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]*")

# Whole words that mark boilerplate anywhere in a name.
_WORDS = frozenset([
    "nav", "navbar", "navi", "navigation", "subnav", "topnav", "menu", "submenu", "menus", "sidebar",
    "sidebars", "sidenav", "footer", "foot", "breadcrumb", "breadcrumbs", "crumbs", "cookie", "cookies",
    "gdpr", "consent", "banner", "banners", "advert", "adverts", "advertisement", "advertising", "ads",
    "adsense", "adsbygoogle", "sponsor", "sponsored", "sponsors", "promo", "promos", "promotion", "popup",
    "popover", "modal", "lightbox", "overlay", "offcanvas", "tooltip", "dropdown", "toolbar", "share",
    "sharing", "sharebar", "sharedaddy", "shares", "social", "socials", "follow", "followus", "facebook",
    "twitter", "pinterest", "whatsapp", "addthis", "addtoany", "related", "recommended", "recommendations",
    "recommendation", "similar", "trending", "popular", "mostread", "upsell", "crosssell", "newsletter",
    "subscribe", "subscription", "signup", "signin", "login", "register", "logout", "paywall", "comment",
    "comments", "commentlist", "commentform", "respond", "disqus", "trackback", "trackbacks", "pingback",
    "pager", "pagination", "paging", "pagenav", "pagelinks", "paginator", "prevnext", "nextprev", "widget",
    "widgets", "tags", "tagcloud", "taglist", "tagged", "keywords", "author", "authors", "authorbox",
    "byline", "bio", "biography", "vcard", "search", "searchform", "searchbox", "copyright", "legal",
    "disclaimer", "impressum", "skip", "skiplink", "noprint", "rating", "ratings", "stars", "vote", "votes",
    "feedback", "report", "permalink", "slider", "slideshow", "carousel", "ticker", "marquee", "toc",
    "masthead", "donation", "donate", "cta", "kommentar", "kommentare",
    "kommentieren", "comentario", "comentarios", "commentaire", "commentaires", "teilen", "partager",
    "compartir", "suche", "buscador", "werbung", "anzeige", "publicidad", "publicite", "pubblicita",
    "anuncio", "reklama", "navegacion", "navigazione", "autorbox", "autorenbox", "relacionadas",
    "relacionados", "verwandte",
])  # fmt: skip
# Parts of names whose words are written together.
_SUBSTRINGS = re.compile(
    r"(?<!un)(?:sidebar|breadcrumb|navigat|navbar|mainmenu|topmenu|submenu|menubar|menu-|-menu|footer"
    r"|cookie|newsletter|relatedpost|related-|-related|related_"
    r"|sharethis|sharebutton|share-|-share|social-|-social|socialmedia|shariff|jp-relatedposts|sharedadd"
    r"|addthis|taboola|outbrain|adsense|adslot|advert"
    r"|subscri|comment-|commentlist|post-meta|entry-meta|postmeta|post-info|postinfo|meta-info|post-tags"
    r"|tag-links|cat-links|author-info|author-box"
    r"|authorbox|about-author|post-author|post-nav|postnav|post-footer|entry-footer|article-footer"
    r"|recommend|most-read|mostpopular|most-popular"
    r"|readmore-list|more-stories|morestories|also-like|promo|popup|print-links|pagination|page-nav|skip-"
    r"|sponsor|popular-|latest-|recent-|recentpost"
    r"|nocontent|screen-reader|sr-only|visually-hidden|visuallyhidden|assistive|login|signup"
    r"|sign-up|wp-caption-hidden|mw-editsection|reflist-hidden"
    r"|catlinks|printfooter|mw-jump|navbox|vertical-navbox|infobox-nav|toctitle|siteheader|site-header"
    r"|site-nav|page-header-top|topbar|top-bar|headline-ad"
    r"|cmp-|onetrust|optanon|gdpr|privacy-|-banner|banner-|call-to-action|cta-)"
)  # fmt: skip
# Names that are not boilerplate although they match the lists above: layout names of whole pages
# ("has-sidebar"), and content under such names.
_LAYOUT = re.compile(
    r"(?:no|has|with|without|left|right|one|two)-?_?sidebar|sidebar-?_?(?:none|no|left|right|off|open)\b"
    r"|content-sidebar|sidebar-content|menu-item-content|nav-content|comments?-(?:off|closed|open|enabled)"
    r"|share-?able|no-(?:nav|banner|ads?|share)|main-content|page-content|article-body|post-body|post-content"
    r"|entry-content|story-body|articlebody|article-content|article__body|content-body|admonition|hentry"
    r"|type-post|type-page|post-type-"
)

# LaTeXML names the parts of a document (`ltx_tag`, `ltx_caption`, `ltx_bib_author`); only these are no text.
_LATEXML_MARGIN = re.compile(r"\bltx_(?:page_|toc|authors?\b|creator|dates?\b|contact|role_author|keywords)")


@lru_cache(maxsize=65536)
def is_boilerplate(names: str) -> bool:
    """Whether `names` (class, id and role, separated by spaces) mark an element as boilerplate."""
    lowered = names.lower()
    if _LAYOUT.search(lowered):
        return False
    if "ltx_" in lowered:
        return _LATEXML_MARGIN.search(lowered) is not None
    if _SUBSTRINGS.search(lowered):
        return True
    return not _WORDS.isdisjoint(word.lower() for word in _WORD.findall(names))


# Names of lines about an article that are not part of its text.
_MARGINAL = re.compile(
    r"date|time(?!line)|published|updated|meta\b|meta[-_]|[-_]meta|byline|kicker|credit|source|quelle"
    r"|caption|bildunter|image-?_?text|legend|copyright|categor"
    r"|reading-?_?time|readtime|lesezeit|likes|views|counter|badge|print|back\b|button|btn|more\b|readmore"
    r"|read-more|affiliate|callout|contact|kontakt"
    r"|tags?\b|topics|themen|temas|follow|signature|edit-?link|edited|disclaim"
    r"|notice|alert|sponsor|gallery|lightbox|icon|avatar|autor|by-author|written"
)


_TEASER = re.compile(r"teaser|promo|card\b|callout|infobox|info-box|textbox|text-box|box\b")


_ANNOTATION = re.compile(
    r"topic\b|footnote|endnote|admonition|definition|example|theorem|proof|remark|citation|equation"
)


@lru_cache(maxsize=65536)
def is_annotation(names: str) -> bool:
    """Whether `names` mark an `<aside>` as part of the text: a footnote, an admonition, a worked example."""
    return bool(_ANNOTATION.search(names.lower()))


@lru_cache(maxsize=65536)
def is_teaser(names: str) -> bool:
    """Whether `names` mark an element as a teaser, of this text or (if it is a link) of another."""
    return bool(_TEASER.search(names.lower()))


@lru_cache(maxsize=65536)
def is_marginal(names: str) -> bool:
    """Whether `names` mark an element as a line about the text: date, author, credit, category, count."""
    lowered = names.lower()
    return bool((_LATEXML_MARGIN if "ltx_" in lowered else _MARGINAL).search(lowered))
