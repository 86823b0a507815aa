"""Lines that invite the reader elsewhere: "read also", "follow us", "subscribe", "all rights reserved", in the web's large languages."""

import re

# Ours: an invitation is no longer than this.
MAX_INVITATION_CHARS = 250
# Anchored at the start, and closed where a technical text could begin the same way ("Subscribe to the topic ...").
_STARTS = re.compile(
    r"(?:"
    # English
    r"read (?:also|next):|read more(?:\Z|:| (?:about|here|stories|news))|also read\b|see also:|related(?: (?:articles?|posts?|stories|content|topics|reading|news))?:?\Z|you (?:may|might) also like|"
    r"more (?:from|stories|articles|posts)\b.{0,40}\Z|share (?:this|on|via|with)\b|follow (?:us|me|@)\b|subscribe(?: (?:to (?:our|my|this)|now|today|here)\b|\Z)|sign up (?:for (?:our|the)|now|today|here)\b|"
    r"click here\b|advertisement\Z|sponsored(?: by|:|\Z)|all rights reserved|copyright (?:©|\(c\)|\d{4})|©|leave a (?:comment|reply)|"
    r"post(?:ed)? (?:by|in|on)\b.{0,60}\Z|filed under\b|tags?:|tagged\b|categor(?:y|ies):|published(?: on)?:|last (?:updated|modified)\b|updated:|"
    r"this (?:article|story|post) (?:first appeared|was originally)|loading\.{0,3}…?\Z|skip to (?:the )?(?:main|content|navigation|search)|back to (?:top|home)|"
    r"for (?:more|the latest) (?:stories|news|updates)\b|photo(?:graph)?s?(?: by| credit)?:|image(?: credit| source)?:|source:|credits?:|"
    r"(?:print|email) this (?:page|article|story|post)|download (?:our|the) app|get (?:our|the) (?:newsletter|app)|join (?:our|the) (?:newsletter|mailing)|"
    # German
    r"lesen sie (?:auch|hier|dazu|mehr)|lies (?:auch|hier|mehr)|auch interessant|mehr (?:zum thema|dazu|von|aus)\b.{0,40}\Z|das könnte (?:sie|dich)|"
    r"weitere (?:artikel|beiträge|informationen|themen|aktuelle|infos|news|meldungen)\b.{0,60}\Z|ähnliche (?:artikel|beiträge|themen)|"
    r"(?:jetzt )?(?:newsletter|abonnieren|registrieren)\b|teilen(?: mit| auf)?:?\Z|artikel (?:teilen|drucken)|themen im artikel|zurück\Z|alle rechte vorbehalten|"
    r"foto(?:s)?:|bild(?:quelle)?:|quelle:|anzeige(?:\Z|:| -)|werbung\Z|veröffentlicht (?:am|in)|aktualisiert(?: am)?\b|kategorien?:|schlagw[oö]rt|kontakt:?\Z|"
    r"folgen sie|folge uns|wird geladen|kommentare?\Z|gefällt (?:mir|dir)|"
    # French
    r"(?:à )?lire (?:aussi|également)|à (?:voir|découvrir) (?:aussi|également)|à découvrir\Z|voir aussi|sur le même (?:sujet|thème)|partager(?: sur)?\b.{0,30}\Z|abonnez|"
    r"suivez[- ]nous|tous droits réservés|crédits?(?: photo)?\s?:|publié le|mis à jour|mots[- ]clés|"
    # Spanish, Portuguese, Italian
    r"(?:lea|leer|lee|vea|ver|mira|mire|te puede|le puede) (?:también|además|tambien|más|interesar)|temas relacionados|noticias relacionadas|"
    r"síguenos|síganos|suscr[ií]b|compart(?:ir|e)\b.{0,30}\Z|todos los derechos|etiquetas:|leia (?:também|mais)|veja também|siga[- ]nos|"
    r"todos os direitos|leggi anche|potrebbe interessarti|condividi\b.{0,30}\Z|tutti i diritti|iscriviti|seguici|"
    # Polish, Dutch
    r"czytaj (?:też|także|również|więcej)|zobacz (?:też|także|również)|przeczytaj (?:też|także)|udostępnij\Z|wszelkie prawa|lees (?:ook|meer|verder)|deel (?:dit|via)"
    r")",
    re.I,
)  # fmt: skip
_MARKS = re.compile(r"\A(?:#{1,6} |- |> |[>»→▶•*\[(]+ ?)+")


def is_invitation(block: str) -> bool:
    """Whether a Markdown block of one line leads elsewhere instead of saying something."""
    if len(block) > MAX_INVITATION_CHARS or "\n" in block:
        return False
    return _STARTS.match(_MARKS.sub("", block)) is not None
