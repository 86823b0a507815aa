"""Unicode characters of formulas, and the LaTeX commands for them."""

import unicodedata

_GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "omicron",
    "pi",
    "rho",
    "sigmaf",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
]
_CAPITALS = {
    "Γ": "Gamma",
    "Δ": "Delta",
    "Θ": "Theta",
    "Λ": "Lambda",
    "Ξ": "Xi",
    "Π": "Pi",
    "Σ": "Sigma",
    "Υ": "Upsilon",
}
_CAPITALS |= {"Φ": "Phi", "Ψ": "Psi", "Ω": "Omega"}

# Pairs "character command".
_TABLES = """
ϵ epsilon ϑ vartheta ϖ varpi ϱ varrho ϕ phi φ varphi ε varepsilon ς varsigma ϰ varkappa ϝ digamma µ mu
∀ forall ∃ exists ∄ nexists ∅ emptyset ∂ partial ∇ nabla ∞ infty ℵ aleph ℸ daleth Ϝ digamma ⋠ npreceq ⋡
nsucceq ◻ square ◼ blacksquare ⟂ perp ⧵ setminus ℶ beth ℷ gimel ℏ hbar ℓ ell ℜ Re ℑ Im ℘ wp ∁ complement
ı imath ȷ jmath ∠ angle ∡ measuredangle ∢ sphericalangle △ triangle ▽ bigtriangledown □ square ■ blacksquare
◊ lozenge ⧫ blacklozenge
♯ sharp ♭ flat ♮ natural ♠ spadesuit ♡ heartsuit ♢ diamondsuit ♣ clubsuit ★ bigstar ✓ checkmark ⊤ top ⊥ bot ¬
neg † dagger ‡ ddagger
§ S ¶ P © copyright £ pounds  ′ prime ‵ backprime ℧ mho ⅁ Game Ⓢ circledS ® circledR ¥ yen
± pm ∓ mp × times ÷ div ∗ ast ⋆ star ∘ circ ∙ bullet • bullet · cdot ⋅ cdot ∩ cap ∪ cup ⊎ uplus ⊓ sqcap ⊔
sqcup ∨ vee ∧ wedge
∖ setminus ≀ wr ⋄ diamond ⊕ oplus ⊖ ominus ⊗ otimes ⊘ oslash ⊙ odot ◯ bigcirc ⨿ amalg ⊞ boxplus ⊟ boxminus ⊠
boxtimes ⊡ boxdot
⋉ ltimes ⋊ rtimes ⋋ leftthreetimes ⋌ rightthreetimes ⋏ curlywedge ⋎ curlyvee ⊝ circleddash ⊛ circledast ⊚
circledcirc ⊺ intercal
∔ dotplus ⋒ Cap ⋓ Cup ⊻ veebar ⊼ barwedge ⩞ doublebarwedge ⋇ divideontimes ⋔ pitchfork ◃ triangleleft ▹
triangleright △ bigtriangleup
⊲ vartriangleleft ⊳ vartriangleright ⊴ trianglelefteq ⊵ trianglerighteq
≤ leq ≥ geq ≠ neq ≡ equiv ∼ sim ≃ simeq ≈ approx ≅ cong ∝ propto ≪ ll ≫ gg ⋘ lll ⋙ ggg ≺ prec ≻ succ ≼
preccurlyeq ≽ succcurlyeq ⪯ preceq ⪰ succeq
⊂ subset ⊃ supset ⊆ subseteq ⊇ supseteq ⊏ sqsubset ⊐ sqsupset ⊑ sqsubseteq ⊒ sqsupseteq ∈ in ∋ ni ∉ notin ∌
not\\ni ⊢ vdash ⊣ dashv
⊨ models ∣ mid ∥ parallel ∦ nparallel ∤ nmid ⌣ smile ⌢ frown ≍ asymp ≐ doteq ⋈ bowtie ⊧ models ⩽ leqslant ⩾
geqslant ≲ lesssim ≳ gtrsim
⪅ lessapprox ⪆ gtrapprox ≶ lessgtr ≷ gtrless ⋚ lesseqgtr ⋛ gtreqless ≦ leqq ≧ geqq ⪕ eqslantless ⪖ eqslantgtr
≊ approxeq ∽ backsim ⋍ backsimeq
⫅ subseteqq ⫆ supseteqq ⋐ Subset ⋑ Supset ≾ precsim ≿ succsim ⪷ precapprox ⪸ succapprox ⋞ curlyeqprec ⋟
curlyeqsucc ⊩ Vdash ⊪ Vvdash ⊫ VDash
≎ Bumpeq ≏ bumpeq ≑ doteqdot ≓ risingdotseq ≒ fallingdotseq ≖ eqcirc ≗ circeq ≜ triangleq ∴ therefore ∵
because ≬ between ϶ backepsilon
⋖ lessdot ⋗ gtrdot ≁ nsim ≇ ncong ≮ nless ≯ ngtr ≰ nleq ≱ ngeq ⊀ nprec ⊁ nsucc ⊄ not\\subset ⊅ not\\supset ⊈
nsubseteq ⊉ nsupseteq ≢ not\\equiv ≉ not\\approx
⊊ subsetneq ⊋ supsetneq ⫋ subsetneqq ⫌ supsetneqq ≨ lneqq ≩ gneqq ⪇ lneq ⪈ gneq ⋦ lnsim ⋧ gnsim ⪉ lnapprox ⪊
gnapprox ⋨ precnsim ⋩ succnsim
⪹ precnapprox ⪺ succnapprox ⋪ ntriangleleft ⋫ ntriangleright ⋬ ntrianglelefteq ⋭ ntrianglerighteq ⊬ nvdash ⊭
nvDash ⊮ nVdash ⊯ nVDash
≔ coloneqq ≕ eqqcolon ≙ hat{=} ≝ overset{\\text{def}}{=} ≟ overset{?}{=} ⩵ Equal ∷ Colon ⪢ gg ⪡ ll
← leftarrow → rightarrow ↑ uparrow ↓ downarrow ↔ leftrightarrow Ⅎ Finv ↕ updownarrow ⇐ Leftarrow ⇒ Rightarrow
⇑ Uparrow ⇓ Downarrow ⇔ Leftrightarrow
⇕ Updownarrow ⟵ longleftarrow ⟶ longrightarrow ⟷ longleftrightarrow ⟸ Longleftarrow ⟹ Longrightarrow ⟺
Longleftrightarrow ↦ mapsto ⟼ longmapsto
↩ hookleftarrow ↪ hookrightarrow ↼ leftharpoonup ⇀ rightharpoonup ↽ leftharpoondown ⇁ rightharpoondown ⇌
rightleftharpoons ⇋ leftrightharpoons
↗ nearrow ↘ searrow ↙ swarrow ↖ nwarrow ⇝ rightsquigarrow ↝ leadsto ↭ leftrightsquigarrow ⇇ leftleftarrows ⇉
rightrightarrows ⇆ leftrightarrows
⇄ rightleftarrows ⇈ upuparrows ⇊ downdownarrows ⇚ Lleftarrow ⇛ Rrightarrow ↞ twoheadleftarrow ↠
twoheadrightarrow ↢ leftarrowtail ↣ rightarrowtail
↫ looparrowleft ↬ looparrowright ↶ curvearrowleft ↷ curvearrowright ↺ circlearrowleft ↻ circlearrowright ↰
Lsh ↱ Rsh ⇃ downharpoonleft
⇂ downharpoonright ↿ upharpoonleft ↾ upharpoonright ⊸ multimap ↚ nleftarrow ↛ nrightarrow ⇍ nLeftarrow ⇏
nRightarrow ↮ nleftrightarrow ⇎ nLeftrightarrow
⤳ leadsto ⇢ dashrightarrow ⇠ dashleftarrow
∑ sum ∏ prod ∐ coprod ∫ int ∬ iint ∭ iiint ⨌ iiiint ∮ oint ∯ oiint ∰ oiiint ⋂ bigcap ⋃ bigcup ⨄ biguplus ⨆
bigsqcup ⋁ bigvee ⋀ bigwedge ⨀ bigodot ⨂ bigotimes
⨁ bigoplus √ surd
… ldots ⋯ cdots ⋮ vdots ⋱ ddots ⟨ langle ⟩ rangle 〈 langle 〉 rangle ⌈ lceil ⌉ rceil ⌊ lfloor ⌋ rfloor ⟦
llbracket ⟧ rrbracket ‖ Vert ⟮ lgroup ⟯ rgroup
⎰ lmoustache ⎱ rmoustache ⌜ ulcorner ⌝ urcorner ⌞ llcorner ⌟ lrcorner
"""
_LITERAL = {
    "−": "-",
    "‐": "-",
    "‑": "-",
    "–": "-",
    "∶": ":",
    "∕": "/",
    "⁄": "/",
    "∗": "*",
    "″": "''",
    "‴": "'''",
    "⁗": "''''",
    "′": "'",
    "ˆ": "\\hat{}",
    "\\": "\\backslash ",
    "{": "\\{",
    "}": "\\}",
    "$": "\\$",
    "%": "\\%",
    "#": "\\#",
    "&": "\\&",
    "_": "\\_",
    "~": "\\sim ",
    "^": "\\hat{}",
    "°": "^{\\circ}",
    "ℝ": "\\mathbb{R}",
    "ℂ": "\\mathbb{C}",
    "ℕ": "\\mathbb{N}",
    "ℚ": "\\mathbb{Q}",
    "ℤ": "\\mathbb{Z}",
    "ℙ": "\\mathbb{P}",
    "ℍ": "\\mathbb{H}",
    "ℎ": "h",
    **{chr(selector): "" for selector in range(0xFE00, 0xFE10)},
    "\u2061": "",
    "\u2062": "",
    "\u2063": "",
    "\u2064": "",
    "\u200b": "",
    "\u00a0": "~",
    "\u2009": "\\,",
    "\u200a": "\\,",
    "\u2005": "\\:",
    "\u205f": "\\:",
    "\u2004": "\\;",
    "\u2003": "\\quad ",
    "\u2001": "\\quad ",
    "\u2002": "\\ ",
}
ACCENTS_OVER = {
    "^": "hat", "ˆ": "hat", "̂": "hat", "¯": "bar", "ˉ": "bar", "‾": "overline", "̄": "bar", "_": "overline",
    "―": "overline", "─": "overline", "̅": "overline",
    "→": "vec", "⃗": "vec", "⟶": "overrightarrow", "←": "overleftarrow", "⃖": "overleftarrow",
    "↔": "overleftrightarrow",
    "~": "tilde", "˜": "tilde", "̃": "tilde", "∼": "tilde", "˙": "dot", "̇": "dot", ".": "dot", "¨": "ddot",
    "̈": "ddot", "⃛": "dddot", "⃜": "ddddot",
    "´": "acute", "ˊ": "acute", "`": "grave", "ˋ": "grave", "ˇ": "check", "˘": "breve", "̆": "breve",
    "̌": "check", "°": "mathring", "˚": "mathring",
    "⏞": "overbrace", "︷": "overbrace", "⎴": "overbracket", "⏜": "overparen", "⇀": "overrightharpoon",
}  # fmt: skip
ACCENTS_UNDER = {
    "_": "underline", "‾": "underline", "¯": "underline", "̲": "underline", "―": "underline",
    "̱": "underline", "⏟": "underbrace", "︸": "underbrace",
    "⎵": "underbracket", "→": "underrightarrow", "←": "underleftarrow", "⏝": "underparen", "~": "utilde",
}  # fmt: skip
# The accent over more than one character has another name in TeX, such as \overline for the bar.
STRETCHED = {
    "hat": "widehat",
    "tilde": "widetilde",
    "bar": "overline",
    "vec": "overrightarrow",
    "check": "widecheck",
}
LIMIT_OPERATORS = frozenset("∑∏∐∫∬∭⨌∮∯∰⋂⋃⨄⨆⋁⋀⨀⨂⨁")
FUNCTIONS = frozenset([
    "arccos", "arcsin", "arctan", "arg", "cos", "cosh", "cot", "coth", "csc", "deg", "det", "dim", "exp",
    "gcd", "hom", "inf", "ker", "lg", "lim", "liminf", "limsup", "ln", "log", "max", "min", "Pr", "sec",
    "sin", "sinh", "sup", "tan", "tanh",
])  # fmt: skip
VARIANTS = {
    "bold": "mathbf", "double-struck": "mathbb", "script": "mathcal", "bold-script": "mathcal",
    "fraktur": "mathfrak", "bold-fraktur": "mathfrak",
    "sans-serif": "mathsf", "bold-sans-serif": "mathbf", "sans-serif-italic": "mathsf",
    "sans-serif-bold-italic": "mathbf",
    "monospace": "mathtt", "bold-italic": "boldsymbol", "italic": "mathit", "normal": "mathrm",
}  # fmt: skip
_VARIANT_NAMES = (
    ("SANS-SERIF BOLD ITALIC", "mathbf"), ("SANS-SERIF ITALIC", "mathsf"), ("SANS-SERIF BOLD", "mathbf"),
    ("SANS-SERIF", "mathsf"),
    ("BOLD ITALIC", "boldsymbol"), ("BOLD SCRIPT", "mathcal"), ("BOLD FRAKTUR", "mathfrak"), ("BOLD",
    "mathbf"), ("ITALIC", ""), ("SCRIPT", "mathcal"),
    ("FRAKTUR", "mathfrak"), ("DOUBLE-STRUCK", "mathbb"), ("MONOSPACE", "mathtt"), ("BLACK-LETTER",
    "mathfrak"),
)  # fmt: skip


def _build_symbols() -> dict[str, str]:
    words = _TABLES.split()
    symbols = {char: f"\\{name}" for char, name in zip(words[::2], words[1::2], strict=True)}
    for offset, name in enumerate(_GREEK):
        symbols.setdefault(chr(0x3B1 + offset), "o" if name == "omicron" else f"\\{name}")
    symbols |= {char: f"\\{name}" for char, name in _CAPITALS.items()}
    return symbols


_SYMBOLS = _build_symbols()


def symbol(char: str) -> str:
    """Return the LaTeX of one character. A command has no space after it; `join` adds one before a letter."""
    if char in _LITERAL:
        return _LITERAL[char].rstrip(" ") or _LITERAL[char]
    if char in _SYMBOLS:
        return _SYMBOLS[char]
    return _styled_letter(char) if ord(char) >= 0x2100 else char


def plain_letter(char: str) -> tuple[str, str]:
    """Return (base letter, LaTeX font command) of a mathematical alphanumeric; others unchanged, with ""."""
    name = unicodedata.name(char, "")
    if not name.startswith(("MATHEMATICAL ", "SCRIPT ", "BLACK-LETTER ", "DOUBLE-STRUCK ")):
        return char, ""
    base = unicodedata.normalize("NFKC", char)
    if len(base) != 1:
        return char, ""
    style = name.removeprefix("MATHEMATICAL ")
    return base, next((font for prefix, font in _VARIANT_NAMES if style.startswith(prefix)), "")


def _styled_letter(char: str) -> str:
    base, font = plain_letter(char)
    if base == char:
        return char
    inner = _SYMBOLS.get(base, base)
    return f"\\{font}{{{inner}}}" if font else inner
