"""URLs made comparable: one spelling per page, one domain per site. No network, ever."""

from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

import ada_url
import tldextract

# Query parameters that say how the reader came, not what is shown.
# Ours: the click and campaign identifiers of the big advertisers and mailers, and session identifiers.
_TRACKING_PREFIXES = ("utm_", "mc_", "pk_", "mtm_", "hsa_", "_hs")
_TRACKING_PARAMETERS = frozenset(
    str.split(
        "fbclid gclid gclsrc dclid gbraid wbraid msclkid yclid igshid twclid ttclid li_fat_id mkt_tok "
        "vero_id oly_anon_id oly_enc_id ref_src ref_url spm scm sessionid session_id phpsessid jsessionid "
        "sid cmpid ncid"
    )
)


def canonical_url(url: str) -> str | None:
    """The URL in WHATWG form without fragment, tracking parameters, default port, `www.` or final slash.

    Query parameters are sorted, the scheme is https where it was http (a page seen under both is one page).
    None if it is not a URL of the web. Idempotent.
    """
    try:
        parsed = ada_url.URL(url.strip())
    except ValueError:
        return None
    if parsed.protocol not in ("http:", "https:") or not parsed.hostname:
        return None
    host = parsed.hostname.rstrip(".")
    while host.startswith("www.") and host.count(".") > 1:
        host = host[4:]
    is_default_port = parsed.port in ("", "80", "443")
    authority = host if is_default_port else f"{host}:{parsed.port}"
    path = parsed.pathname.split(";jsessionid=")[0].rstrip("/")
    query = _canonical_query(parsed.search)
    return f"https://{authority}{path or '/'}{query}"


def registrable_domain(url: str) -> str:
    """`example.co.uk` of `https://a.b.example.co.uk/x`; the host itself where it has no public suffix.

    The empty string if there is no host. The suffix list is the snapshot inside tldextract.
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


def _canonical_query(search: str) -> str:
    if len(search) < 2:
        return ""
    pairs = parse_qsl(search[1:], keep_blank_values=True)
    kept = sorted(pair for pair in pairs if not _is_tracking(pair[0].lower()))
    return "?" + urlencode(kept) if kept else ""


def _is_tracking(name: str) -> bool:
    return name in _TRACKING_PARAMETERS or name.startswith(_TRACKING_PREFIXES)


@lru_cache(maxsize=1)
def _extractor() -> tldextract.TLDExtract:
    # No suffix_list_urls: the default constructor goes to the network. No cache: workers share no folder.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
