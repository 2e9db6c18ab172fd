"""The table of written forms: kinds of text beside sentences, how often each is drawn, and its patterns.

A pattern is plain text with names in braces; `written_forms.py` says what stands for each name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SEPARATOR = " ¦ "  # between patterns


@dataclass(frozen=True)
class Form:
    """A kind of text. weight: how often it is drawn, against the others. patterns: one of which a text follows."""

    weight: float
    patterns: Sequence[str]


def _form(weight: float, *lines: str) -> Form:
    return Form(weight, tuple(pattern for line in lines for pattern in line.split(_SEPARATOR)))


KINDS: Mapping[str, Form] = {
    "dates": _form(
        0.1,
        "{day}/{month}/{year} ¦ {day}.{month}.{year} ¦ {day}-{month}-{year} ¦ {month}/{day}/{year}",
        "{year}-{mm}-{dd}",
        "{dd}/{mm}/{year} ¦ {dd}.{mm}.{year} ¦ {dd}/{mm}/{nn} ¦ {dd}.{mm}.{nn} ¦ {dd}-{mm}-{nn}",
        "{day}. {month}. {year}",
        "{day}/{month} ¦ {day}.{month}. ¦ {month}/{year} ¦ {day}/{month}/’{nn} ¦ {year} ¦ {year}-{nn}",
        "{span}",
        "* {day}.{month}.{year} ¦ † {day}. {month}. {year} ¦ ({span}) ¦ ’{nn} ¦ {name_of_day} {day}/{month}",
        "{date} ¦ {date} ¦ {date} ¦ {date} ¦ {date} ¦ {date} ¦ {date} ¦ {date} ¦ {date} ¦ {date} ¦ {date} ¦ {date}",
    ),
    "times": _form(
        0.04,
        "{hour}:{min} ¦ {hour}:{min} ¦ {hour}:{min}:{min} ¦ {half}.{min} am ¦ {half}:{min} pm ¦ {half} a.m.",
        "{half} P.M.",
        "{half} o’clock ¦ {hour}h{min} ¦ {hour} h {min} ¦ {hour}.{min} Uhr ¦ {hour}:{min} – {hour}:{min}",
        "{hour}-{hour} h",
        "à {hour} heures ¦ um {half} Uhr ¦ {n} min. ¦ {digit}'{min}\" ¦ alle {hour}:{min} ¦ godz. {hour}.{min}",
        "kl. {hour}.{min} ¦ v {hour}:{min} hod. ¦ saat {hour}:{min} ¦ às {hour}h{min} ¦ om {half} uur",
        "a las {half}:{min}",
    ),
    "amounts": _form(
        0.1,
        "{before}{money} ¦ {before}{count} ¦ {before}{count}.{nn} ¦ {money}{after} ¦ {count}{after}",
        "{grouped}{after}",
        "{before}{money} ¦ {money}{after} ¦ {money}{after} ¦ {grouped},{nn} ¦ {nn}¢ ¦ {n} ¢ ¦ {n}p ¦ {n} cts",
        "-{before}{count}.{nn}",
        "{total}: {money}{after} ¦ {total} {before}{money} ¦ {n} × {money}{after} ¦ {n} x {before}{n}.{nn}",
        "£{count} {hour}s. {half}d.",
        "{n}% ¦ {n},{digit} % ¦ +{n}% ¦ -{n}.{digit}% ¦ {n} ‰ ¦ ({money}) ¦ {word} {money}{after}",
        "{word} ..... {before}{money}",
    ),
    "numbers": _form(
        0.06,
        "{count} ¦ {n4} {n4} {n4} ¦ {n3} {n3} ¦ {cap}{cap}{n4} ¦ {cap}-{n3} ¦ {n3}/{n} ¦ #{n3} ¦ No. {count}",
        "№ {n3} ¦ n° {n}",
        "{digit}{fraction} ¦ {fraction} ¦ {digit}/{half} ¦ {n}.{n3} ¦ -{n},{nn} ¦ {n}:{n}",
        "IBAN {cap}{cap}{nn} {n4} {n4} {n4}",
        "p. {n} ¦ pp. {n}–{n3} ¦ vol. {roman}, p. {n} ¦ {roman} ¦ {roman}. ¦ {n4}-{n4} ¦ {nn} {nn} {nn} ¦ {n}/{n}",
        "{n}, {n}, {n}",
    ),
    "addresses": _form(
        0.05,
        "{name}@{name}.{domain} ¦ {name}.{name}@mail.{domain} ¦ {name}_{n}@{name}.{domain}",
        "{name}-{name}@{name}.{domain}",
        "www.{name}.{domain} ¦ https://{name}.{domain}/{name} ¦ http://www.{name}-{name}.{domain}/~{name}",
        "<{name}@{name}.{domain}>",
        "{name}.{domain}/{name}?id={n}&p={digit} ¦ @{name}{n} ¦ #{name} ¦ C:\\{name}\\{name}.txt",
        "~/{name}/{name}.pdf",
        "E-mail: {name}@{name}.{domain} ¦ {Word} {Word}, {n} {word} ¦ {word} {n}, {n4}{digit} {Word}",
        "{n4}-{n3} {Word}",
    ),
    "phones": _form(
        0.03,
        "+{n} {n3} {n3} {n3} ¦ +33 {digit} {nn} {nn} {nn} {nn} ¦ 0{digit}.{nn}.{nn}.{nn}.{nn}",
        "0{digit} {nn} {nn} {nn} {nn}",
        "({n3}) {n3}-{n4} ¦ {n3}-{n3}-{n4} ¦ 0{n3} / {n3} {nn} ¦ +49 (0){nn} {n3}-{nn} ¦ Tel. {n3} {n3} {n3}",
        "Tél. : {nn} {nn} {nn}",
        "Fax: {n3} {n4} ¦ tel.: {n3}-{nn}-{nn} ¦ {n4} {n4} ¦ x{n3}",
    ),
    "equations": _form(
        0.08,
        "{sum} ¦ {product} ¦ {n} {operator} {n} {relation} {count} ¦ {n}{operator}{n}{relation}{n}",
        "{x} {relation} {n} ¦ {x} {relation} {x}",
        "{n}{x} {operator} {n} = 0 ¦ {x}² + {x}² = {n} ¦ {x} = ±√{n} ¦ √{n} ≈ {digit},{nn} ¦ √({n} + {n}) ¦ π ≈ 3,14",
        "2π{x} = {n} cm",
        "π{x}² ≈ {n},{n} ¦ {x} → ∞ ¦ {n} ≤ {x} ≤ {n} ¦ {x} ≠ {x} ¦ {x} ≥ {n} ¦ {n} ± {digit} ¦ {n},{n} ± 0,{digit}",
        "f({x}) = {n}{x}³ - {n}",
        "({n} + {n}) × {digit} = {n3} ¦ {n}/{n} ≥ {digit} ¦ {x}¹ = {x} ¦ {n} : {n} = {digit},{n} ¦ ¬{x} → {x}",
        "{x}^{digit} = {n}",
        "1/{n} < 1/{n} ¦ {x} → {x} + 1 ¦ {n}% of {n3} = {n} ¦ {n} ÷ {digit} = {n} ¦ {n} × {n} = {n4}",
        "{x} ≈ {n},{nn} ¦ -∞ < {x} < ∞",
    ),
    "brackets": _form(
        0.05,
        "{some} {bracketed} {few} ¦ {bracketed} ¦ {some} {bracketed}. ¦ {some} {bracketed}, {some}",
        "({letter}) {some} ¦ [{n}] {some}",
        "{some} (?) {few} ¦ {some} (!) ¦ [sic] {few} ¦ {few} [...] {few} ¦ [{few} […]",
        "{{{digit}, {digit}, {digit}}} ¦ {some} ({year})",
        "({few} [{few}] {few}) ¦ <{name}> ¦ {some} ({n}) ¦ [{n}:{n}] ¦ ({some} ¦ {some}) ¦ [{some} ¦ {some}]",
    ),
    "code": _form(
        0.05,
        "{word} & {word} ¦ {Word} & Co. ¦ {cap}&{cap} ¦ {name}_{name} ¦ __{name}__ ¦ *{word}* ¦ **{word}**",
        "{word} * ¦ ~{n} ¦ ~ {word} ~",
        "{word} | {word} ¦ | {n} | {n} | ¦ {name}\\{name} ¦ ^{word} ¦ {digit}^{digit} ¦ {{{name}}} ¦ #{n}",
        "{word} #{digit} ¦ @{name}",
        "{word} @ {n} ¦ `{name}` ¦ {name} = '{name}'; ¦ if ({x} > {digit}) {{ ¦ $ {name} -{x} ¦ %{name}% ¦ <{name}/>",
        "{word}; {word}",
        "{name}.{name}() ¦ {x}[{digit}] = {n}; ¦ © {year} {Word} ¦ {Word}® ¦ {word} † ¦ ¬({name} | {name}) ¦ ****",
        "=== ¦ }} ¦ \\{x}",
    ),
    "lists": _form(
        0.05,
        "{bullet} {some} ¦ {bullet} {some} ¦ {bullet} {some} ¦ {bullet} {n} {word} ¦ {n}. {some} ¦ {n}) {some}",
        "{letter}) {some} ¦ {cap}. {some}",
        "({digit}) {some} ¦ iv) {some} ¦ ii. {some} ¦ [ ] {some} ¦ [x] {some} ¦ [✓] {some} ¦ {some} → {few}",
        "{some} ✓ ¦ {few} ← {few}",
        "{word} ↑ ¦ {word} ↓ ¦ {word} ↑ {n} % ¦ → {some} ¦ {word}: {some} ¦ {n} {word}, {n} {word}",
    ),
    "capitals": _form(
        0.04, "{CAPITALS} ¦ {CAPITALS} ¦ {CAPITALS} {n} ¦ {CAPITALS}: {n} ¦ {CAPITALS} {words} ¦ {Title}"
    ),
    "words": _form(
        0.04,
        "{word} ¦ {word} ¦ {word} ¦ {Word} ¦ {Word} ¦ {word}. ¦ {word}, ¦ {word}: ¦ {word}? ¦ {word}! ¦ {word};",
        "-{word} ¦ {word}- ¦ {word}…",
    ),
    "characters": _form(
        0.04, "{character} ¦ {character} ¦ {character}{character} ¦ {digit} ¦ {digit} ¦ {n} ¦ {letter} ¦ {cap}"
    ),
    "abbreviations": _form(
        0.05,
        "{th} ¦ {th} {word} ¦ 1er {word} ¦ 1re {word} ¦ {n}e {word} ¦ {n}ème ¦ 2nd {word} ¦ {n}. {word} ¦ {n}º",
        "{n}ª ¦ {n}.º {word}",
        "n° {n} ¦ N° {n} bis ¦ № {n} ¦ Nr. {n} ¦ § {n} ¦ §§ {n}-{n} ¦ § {n}, al. {digit} ¦ art. {n}, § {digit}",
        "{title} {Word} ¦ {title} {Word}",
        "{short} {few} ¦ {some} {short} ¦ {cap}. {Word} ¦ {cap}.{cap}. {Word} ¦ d° {word} ¦ d° ¦ {Word} & Cie",
        "{Word} & Söhne ¦ {word}.¹ ¦ {word}²",
        "{roman}e s. ¦ {roman}. {word} ¦ St. {Word} ¦ {Word}, {cap}. ¦ {cap}.-{cap}. {Word} ¦ {short}",
    ),
    "quotations": _form(
        0.05,
        "{quoted} ¦ {some}: {quoted} ¦ {quoted}, {few} ¦ {quoted}. ¦ {few} {quoted} {few} ¦ ({quoted}) ¦ “{some}",
        "{some}” {few} ¦ « {some}",
        "{some} » ¦ „{some} ¦ ‚{word}‘ ¦ ‹{word}› ¦ ›{word}‹ ¦ – {some} ¦ — {some} ¦ l’{word} ¦ d'{word} ¦ qu’{word}",
        "{word}’s ¦ {word}'s",
        "¿{some}? ¦ ¡{some}! ¦ {some} … {few} ¦ {some} – {few} ¦ {some} — {few}, ¦ ‘{some}’ ¦ '{word}' ¦ \"{some}\"",
    ),
    "measures": _form(
        0.05,
        "{n3} {unit} ¦ {n}{unit} ¦ {n},{nn} {unit} ¦ {n}.{digit} {unit} ¦ {digit}{fraction} {unit}",
        "{fraction} {unit} ¦ {n} x {n} {unit}",
        "{n} × {n} × {n} {unit} ¦ -{n} °C ¦ +{n}° ¦ {n}° ¦ {n}°{min}'{min}\" {north} ¦ ± {n} {unit} ¦ ≈ {n} {unit}",
        "≤ {n} {unit} ¦ ≥ {n} {unit}",
        "{n}–{n} {unit} ¦ {n} {unit} {word} ¦ {n} µ ¦ 10¹ {unit} ¦ 10³ {unit} ¦ 10² {unit} ¦ {n}² ¦ {n}³",
        "ø {n} {unit} ¦ {n} {unit}/h ¦ {digit}{fraction}",
    ),
    "phrases": _form(
        0.08,
        "{some} {inner} ¦ {inner} {some} ¦ {some} {inner} {some} ¦ {word}: {inner} ¦ {some} ({inner})",
        "{some}, {inner}",
    ),
    "signs": _form(0.04, "{scattered}"),
}  # fmt: skip
