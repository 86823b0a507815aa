"""Make URLs comparable: one spelling per page, one domain per site. The module never uses the network.

Two URLs with the same canonical form are taken for one page without comparing the texts. Therefore a rule
stands here only if what it removes never changes what the page shows.
"""

import re
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

import ada_url
import tldextract

# Query parameters that say how a reader came or who is reading, but do not change the page.
# Our choice: click and campaign identifiers of the big advertisers and mailers; session identifiers of PHP,
# Java, ASP, ColdFusion and common forum and shop software.
_TRACKING_PREFIXES = ("utm_", "mc_", "pk_", "mtm_", "hsa_", "_hs", "aspsessionid")
_TRACKING_PARAMETERS = frozenset(
    str.split(
        "fbclid gclid gclsrc dclid gbraid wbraid msclkid yclid igshid twclid ttclid li_fat_id mkt_tok "
        "vero_id oly_anon_id oly_enc_id ref_src ref_url spm scm cmpid ncid "
        "sessid sessionid session_id phpsessid phpsess jsessionid oscsid zenid cfid cftoken"
    )
)
# For these names the value decides: `sid` is a session on phpBB and a story on other sites.
_PERHAPS_SESSION = frozenset(("s", "sid", "session"))
_MIN_SESSION_CHARS = 26
# `;jsessionid=...` of Java and `/(S(...))` of ASP.NET, up to the end of the path segment.
_SESSION_IN_PATH = re.compile(r";jsessionid=[^/]*|/\([ASF]\([^/)]*\)\)(?=/|\Z)", re.IGNORECASE)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

# Host labels (www, m, amp) that serve the same page as the host without them.
_SAME_PAGE_LABEL = re.compile(r"(?:www\d?|m|mobile|amp)\Z")
# Our choice: sites that serve another site's pages under the same path.
_MIRROR_OF = {
    "export.arxiv.org": "arxiv.org",
    "xxx.lanl.gov": "arxiv.org",
    "old.reddit.com": "reddit.com",
    "np.reddit.com": "reddit.com",
}
# Web archives have the original URL in their path: /web/20200101000000id_/https://example.com/.
_ARCHIVE = "web.archive.org"
_ARCHIVED = re.compile(r"/web/\d{4,14}(?:[a-z]{2}_)?/(https?:)?/*(.+)\Z", re.IGNORECASE)


def canonical_url(url: str) -> str | None:
    """Return the URL in WHATWG form without parts that do not change the page; None if it is not a web URL.

    Removed are the fragment, tracking parameters, session identifiers in query and path, the default port,
    the final slash, and the host labels `www.`, `m.`, `mobile.` and `amp.`. A mirror or a web archive gives
    the URL of the mirrored page. Query parameters are sorted, and http becomes https, because both serve the
    same page. The function is idempotent.
    """
    page = _web_url(url)
    while page and page.hostname == _ARCHIVE and (archived := _ARCHIVED.match(page.pathname + page.search)):
        page = _web_url(f"http://{archived[2]}")
    if not page:
        return None
    host = canonical_host(page.hostname.rstrip("."))
    authority = host if page.port in ("", "80", "443") else f"{host}:{page.port}"
    path = _ESCAPE.sub(_canonical_escape, page.pathname)
    if _SESSION_IN_PATH.search(path):  # what is left may be a dot segment, so parse again
        path = ada_url.URL("https://x.invalid" + _SESSION_IN_PATH.sub("", path)).pathname
    return f"https://{authority}{path.rstrip('/') or '/'}{_canonical_query(page.search)}"


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


def _canonical_escape(escape: re.Match[str]) -> str:
    """Return one spelling per escaped character: `%7e` -> `~`, `%e4` -> `%E4`."""
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _canonical_query(search: str) -> str:
    if len(search) < 2:
        return ""
    # latin-1 keeps every byte. With UTF-8, all invalid escapes would become the same replacement character.
    pairs = parse_qsl(search[1:], keep_blank_values=True, encoding="latin-1")
    kept = sorted(pair for pair in pairs if not _is_tracking(*pair))
    return "?" + urlencode(kept, encoding="latin-1") if kept else ""


def _is_tracking(name: str, value: str) -> bool:
    name = name.lower()
    if name in _PERHAPS_SESSION:
        is_token = len(value) >= _MIN_SESSION_CHARS and value.isascii() and value.isalnum()
        return is_token and not value.isalpha()
    return name in _TRACKING_PARAMETERS or name.startswith(_TRACKING_PREFIXES)


@lru_cache(maxsize=1)
def _extractor() -> tldextract.TLDExtract:
    # Without `suffix_list_urls=()` the constructor uses the network. There is no cache, because workers share
    # no folder.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
