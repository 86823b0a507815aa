"""Make URLs comparable: one spelling per page, one domain per site. The module never uses the network.

Two URLs with the same canonical form are taken for one page, of which lists of URLs cover both and
deduplication keeps the newest version. Therefore a rule stands here only if what it removes never changes
what the page shows.
"""

import re
from functools import lru_cache
from operator import itemgetter
from urllib.parse import parse_qsl, urlencode

import ada_url
import tldextract

# Query parameters that say how a reader came or who is reading, but do not change the page.
# Our choice: click and campaign identifiers of the big advertisers and mailers; session identifiers of PHP,
# Java, ASP, ColdFusion and common shop software.
_TRACKING_PREFIXES = ("utm_", "mtm_", "hsa_", "_hs", "aspsessionid")
_TRACKING_PARAMETERS = frozenset(
    str.split(
        "fbclid gclid gclsrc dclid gbraid wbraid msclkid yclid ysclid igshid twclid ttclid li_fat_id mkt_tok "
        "vero_id oly_anon_id oly_enc_id ref_src ref_url cmpid ncid srsltid gad_source mc_cid mc_eid "
        "pk_campaign pk_kwd pk_keyword pk_source pk_medium pk_content pk_cid "
        "phpsessid phpsess jsessionid oscsid zenid cfid cftoken"
    )
)
# For these names the value decides: `sid` is a session on phpBB and a story on other sites, and
# `session_id=3` is a page of a conference's programme. The number is the fewest characters of a session.
# Our choice: 128 bits in letters and digits for the short names, 64 bits in hexadecimal ones for the others.
_PERHAPS_SESSION = {"s": 26, "sid": 26, "session": 26, "sessid": 16, "sessionid": 16, "session_id": 16}
# Alibaba's places, `spm=a2c4g.11186623.0.0`, under names that mean a page elsewhere (`scm=git`), and the
# names and values by which sites ask for the AMP form of the same page.
_PERHAPS_NO_PAGE = frozenset(("spm", "scm", "amp", "outputtype"))
_AMP_FORM = frozenset((("amp", ""), ("amp", "1"), ("amp", "true"), ("outputtype", "amp")))
_AMP_ENDINGS = ("/amp", ".amp", ".amp.html")
# `;jsessionid=...` of Java and `/(S(...))` of ASP.NET, up to the end of the path segment.
_SESSION_IN_PATH = re.compile(r";jsessionid=[^/]*|/\([ASF]\([^/)]*\)\)(?=/|\Z)", re.IGNORECASE)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
# The characters that mean the same in a path escaped or not: RFC 3986's unreserved ones, and those reserved
# ones that separate nothing there (`/ ? # ;` do). Browsers write either form.
_PLAIN_IN_PATH = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,:=@[]|"
)
# A fragment that a script turns into a page of its own: `#!/article/1`, `#/guide/a`.
_ROUTE_STARTS = ("#!", "#/")

# Host labels (www, m, amp) that serve the same page as the host without them.
_SAME_PAGE_LABEL = re.compile(r"(?:www\d?|m|mobile|amp)\Z")
# Our choice: sites that serve another site's pages under the same path.
_MIRROR_OF = {
    "export.arxiv.org": "arxiv.org",
    "xxx.lanl.gov": "arxiv.org",
    "old.reddit.com": "reddit.com",
    "np.reddit.com": "reddit.com",
}
# Web archives and AMP caches have the original URL in their path: /web/20200101000000id_/https://example.com/.
_COPYING_HOSTS = ("web.archive.org", ".cdn.ampproject.org")
_COPY = re.compile(
    r"(?:https?:)?/{0,2}(?:web\.archive\.org(?::80|:443)?/web/\d{4,14}(?:[a-z]{2}_)?/"
    r"|[a-z0-9-]{1,63}\.cdn\.ampproject\.org/[a-z]/(?:s/)?)",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"\A(?:https?:)?/*", re.IGNORECASE)
# Our choice: copies of copies are read at once, unless the inner host is written with escapes or the like.
# More of those than this are no page.
_MAX_ODD_COPIES = 8


def canonical_url(url: str) -> str | None:
    """Return the URL in WHATWG form without parts that do not change the page; None if it is not a web URL.

    Removed are the fragment, tracking parameters, session identifiers in query and path, the default port,
    the final slash, the marks of an AMP form, and the host labels `www.`, `m.`, `mobile.` and `amp.`. A
    fragment that names a page stays (`#!/article/1`). A mirror, a web archive or an AMP cache gives the URL
    of the page that it copies. Query parameters are sorted by name, and those of one name keep their order.
    http becomes https, because both serve the same page. The function is idempotent, and its time is linear.
    """
    page = _web_url(url)
    if page and page.hostname.endswith(_COPYING_HOSTS):
        page = _copied_page(page)
    if not page:
        return None
    host = canonical_host(page.hostname.rstrip("."))
    authority = host if page.port in ("", "80", "443") else f"{host}:{page.port}"
    path = _ESCAPE.sub(_canonical_escape, page.pathname)
    if _SESSION_IN_PATH.search(path):  # what is left may be a dot segment, so parse again
        path = ada_url.URL("https://x.invalid" + _SESSION_IN_PATH.sub("", path)).pathname
    path = path.rstrip("/")
    if path.endswith(_AMP_ENDINGS):
        path = _without_amp(path)
    route = _route(page.hash) if "#!" in url or "#/" in url else ""
    return f"https://{authority}{path or '/'}{_canonical_query(page.search)}{route}"


def registrable_domain(url: str) -> str:
    """Return `example.co.uk` for `https://a.b.example.co.uk/x`; the host itself if it has no public suffix.

    The result is empty if there is no host. The suffix list is the snapshot inside tldextract.
    """
    try:
        host = ada_url.URL(url.strip()).hostname
    except ValueError:
        return ""
    if not host:
        return ""
    return _extractor()(host).top_domain_under_public_suffix or host


def has_public_suffix(host: str) -> bool:
    """Whether the name ends in a suffix under which names are registered: `x.co.uk`, but not `x.reshape`."""
    return bool(_extractor()(host).suffix)


def _web_url(url: str) -> ada_url.URL | None:
    try:
        parsed = ada_url.URL(url.strip())
    except ValueError:
        return None
    return parsed if parsed.protocol in ("http:", "https:") and parsed.hostname else None


def canonical_host(host: str) -> str:
    """Return a lower-case host without labels such as `www.`, as long as a registrable name is left."""
    host = _MIRROR_OF.get(host, host)
    labels = host.split(".")
    if not any(_SAME_PAGE_LABEL.match(label) for label in labels[:-2]):
        return host
    num_suffix = _extractor()(host).top_domain_under_public_suffix.count(".") + 1
    own, name = labels[:-num_suffix], labels[-num_suffix:]
    bare = ".".join([label for label in own if not _SAME_PAGE_LABEL.match(label)] + name)
    return _MIRROR_OF.get(bare, bare)


def _copied_page(page: ada_url.URL) -> ada_url.URL | None:
    """Return the page that an archive or a cache shows, through all levels of copies; else `page` itself."""
    for _ in range(_MAX_ODD_COPIES):
        address = page.host + page.pathname + page.search + page.hash
        position = 0
        while copy := _COPY.match(address, position):
            position = copy.end()
        if not position:
            return page
        copied = _web_url("http://" + _SCHEME.sub("", address[position:]))
        if not copied or not copied.hostname.endswith(_COPYING_HOSTS):
            return copied
        page = copied
    return None


def _canonical_escape(escape: re.Match[str]) -> str:
    """Return one spelling per escaped character: `%7e` -> `~`, `%e4` -> `%E4`."""
    character = chr(int(escape[1], 16))
    return character if character in _PLAIN_IN_PATH else escape[0].upper()


def _without_amp(path: str) -> str:
    """Return `path`, which has no final slash, without AMP marks: `/a/amp`, `/a.amp` and `/a.amp.html`."""
    end = _end_without(path, len(path), ("/amp", ".amp"))
    if path.endswith(".amp.html", 0, end):
        return path[: _end_without(path, end - len(".html"), (".amp",))] + ".html"
    return path[:end]


def _end_without(path: str, end: int, marks: tuple[str, ...]) -> int:
    """Return where `path[:end]` ends without marks and the slashes before them; a mark alone is a path."""
    while end > len("/amp") and path.endswith(marks, 0, end):
        end -= len("/amp")
        while end and path[end - 1] == "/":
            end -= 1
    return end


def _route(fragment: str) -> str:
    """Return a fragment that names a page, in one spelling; empty for one that names a place in it."""
    if not fragment.startswith(_ROUTE_STARTS):
        return ""
    route = _ESCAPE.sub(_canonical_escape, fragment.partition(":~:")[0]).rstrip("/")
    return "" if route in ("#", "#!") else route


def _canonical_query(search: str) -> str:
    if len(search) < 2:
        return ""
    # latin-1 keeps every byte. With UTF-8, all invalid escapes would become the same replacement character.
    pairs = parse_qsl(search[1:], keep_blank_values=True, encoding="latin-1")
    kept = sorted([pair for pair in pairs if not _is_tracking(*pair)], key=itemgetter(0))
    return "?" + urlencode(kept, encoding="latin-1") if kept else ""


def _is_tracking(name: str, value: str) -> bool:
    name = name.lower()
    if name in _PERHAPS_SESSION:
        is_token = len(value) >= _PERHAPS_SESSION[name] and value.isascii() and value.isalnum()
        return is_token and not value.isalpha()
    if name in _PERHAPS_NO_PAGE:
        is_place = name in ("spm", "scm") and "." in value and any(map(str.isdigit, value))
        return is_place or (name, value.lower()) in _AMP_FORM
    return name in _TRACKING_PARAMETERS or name.startswith(_TRACKING_PREFIXES)


@lru_cache(maxsize=1)
def _extractor() -> tldextract.TLDExtract:
    # Without `suffix_list_urls=()` the constructor uses the network. There is no cache, because workers share
    # no folder.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
