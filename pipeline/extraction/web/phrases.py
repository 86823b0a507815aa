"""Recognise lines that point to other content, in the large languages of the web.

Examples are "read also", "follow us", "subscribe" and "all rights reserved".
"""

import re

# Our choice: such a line is at most this long.
MAX_INVITATION_CHARS = 250
# Each phrase is anchored at the start, and at the end if a technical text could begin the same way
# ("Subscribe to the topic ...").
_STARTS = re.compile(
    r"(?:"
    # English
    r"read (?:also|next):|read more(?:\Z|:| (?:about|here|stories|news))|also read\b|see also:"
    r"|related(?: (?:articles?|posts?|stories|content|topics|reading|news))?:?\Z|you (?:may"
    r"|might) also like|"
    r"more (?:from|stories|articles|posts)\b.{0,40}\Z|share (?:this|on|via|with)\b|follow (?:us|me|@)\b"
    r"|subscribe(?: (?:to (?:our|my|this)|now|today|here)\b|\Z)|sign up (?:for (?:our|the)|now|today"
    r"|here)\b|"
    r"click here\b|advertisement\Z|sponsored(?: by|:|\Z)|all rights reserved|copyright (?:©|\(c\)|\d{4})|©"
    r"|leave a (?:comment|reply)|"
    r"post(?:ed)? (?:by|in|on)\b.{0,60}\Z|filed under\b|tags?:|tagged\b|categor(?:y|ies):"
    r"|published(?: on)?:|last (?:updated|modified)\b|updated:|"
    r"this (?:article|story|post) (?:first appeared|was originally)|loading\.{0,3}…?\Z"
    r"|skip to (?:the )?(?:main|content|navigation|search)|back to (?:top|home)|"
    r"for (?:more|the latest) (?:stories|news|updates)\b|photo(?:graph)?s?(?: by| credit)?:|image(?: credit"
    r"| source)?:|source:|credits?:|"
    r"(?:print|email) this (?:page|article|story|post)|download (?:our|the) app|get (?:our"
    r"|the) (?:newsletter|app)|join (?:our|the) (?:newsletter|mailing)|"
    # German
    r"lesen sie (?:auch|hier|dazu|mehr)|lies (?:auch|hier|mehr)|auch interessant|mehr (?:zum thema|dazu|von"
    r"|aus)\b.{0,40}\Z|das könnte (?:sie|dich)|"
    r"weitere (?:artikel|beiträge|informationen|themen|aktuelle|infos|news|meldungen)\b.{0,60}\Z"
    r"|ähnliche (?:artikel|beiträge|themen)|"
    r"(?:jetzt )?(?:newsletter|abonnieren|registrieren)\b|teilen(?: mit| auf)?:?\Z|artikel (?:teilen"
    r"|drucken)|themen im artikel|zurück\Z|alle rechte vorbehalten|"
    r"foto(?:s)?:|bild(?:quelle)?:|quelle:|anzeige(?:\Z|:| -)|werbung\Z|veröffentlicht (?:am|in)"
    r"|aktualisiert(?: am)?\b|kategorien?:|schlagw[oö]rt|kontakt:?\Z|"
    r"folgen sie|folge uns|wird geladen|kommentare?\Z|gefällt (?:mir|dir)|"
    # French
    r"(?:à )?lire (?:aussi|également)|à (?:voir|découvrir) (?:aussi|également)|à découvrir\Z|voir aussi"
    r"|sur le même (?:sujet|thème)|partager(?: sur)?\b.{0,30}\Z|abonnez|"
    r"suivez[- ]nous|tous droits réservés|crédits?(?: photo)?\s?:|publié le|mis à jour|mots[- ]clés|"
    # Spanish, Portuguese, Italian
    r"(?:lea|leer|lee|vea|ver|mira|mire|te puede|le puede) (?:también|además|tambien|más|interesar)"
    r"|temas relacionados|noticias relacionadas|"
    r"síguenos|síganos|suscr[ií]b|compart(?:ir|e)\b.{0,30}\Z|todos los derechos|etiquetas:|leia (?:também"
    r"|mais)|veja também|siga[- ]nos|"
    r"todos os direitos|leggi anche|potrebbe interessarti|condividi\b.{0,30}\Z|tutti i diritti|iscriviti"
    r"|seguici|"
    # Polish, Dutch
    r"czytaj (?:też|także|również|więcej)|zobacz (?:też|także|również)|przeczytaj (?:też|także)"
    r"|udostępnij\Z|wszelkie prawa|lees (?:ook|meer|verder)|deel (?:dit|via)"
    r")",
    re.I,
)  # fmt: skip
_MARKS = re.compile(r"\A(?:#{1,6} |- |> |[>»→▶•*\[(]+ ?)+")


def is_invitation(block: str) -> bool:
    """Whether a Markdown block of one line points to other content instead of being part of the text."""
    if len(block) > MAX_INVITATION_CHARS or "\n" in block:
        return False
    return _STARTS.match(_MARKS.sub("", block)) is not None


def without_invitations(text: str) -> str:
    """Remove invitations to read elsewhere, and headings without text below them.

    A heading has no text below it if the next block is a heading of the same or a higher level, or the end.
    """
    kept: list[str] = []
    # What follows the block: the level of a heading, 0 for the end, None for anything else.
    following: int | None = 0
    for block in reversed(text.split("\n\n")):
        if is_invitation(block):
            continue
        level = _level(block)
        if level and following is not None and level >= following:
            continue
        kept.append(block)
        following = level or None
    return "\n\n".join(reversed(kept))


def _level(block: str) -> int:
    """Return the level of a heading, 0 for other blocks."""
    marks = len(block) - len(block.lstrip("#"))
    return marks if 0 < marks < 7 and block[marks : marks + 1] == " " and "\n" not in block else 0
