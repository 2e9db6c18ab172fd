"""The names of months and days, and the usual ways to write a date, in twelve languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Calendar:
    """Of a language: its months, its days from Monday on, and patterns of dates, of which {d} is the day, {m} the name
    of the month, {a} that name shortened, {w} the name of the day, {y} the year."""

    months: Sequence[str]
    days: Sequence[str]
    patterns: Sequence[str]


def _calendar(months: str, days: str, *patterns: str) -> Calendar:
    return Calendar(tuple(months.split()), tuple(days.split()), patterns)


CALENDARS: Mapping[str, Calendar] = {
    "en": _calendar(
        "January February March April May June July August September October November December",
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
        "{d} {m} {y}", "{m} {d}, {y}", "{w}, {m} {d}, {y}", "{d}{th} {m} {y}", "{m} {d}{th}", "{a}. {d}, {y}",
        "{w} {d}{th} {a}",
        "the {d}{th} of {m}, {y}",
    ),
    "fr": _calendar(
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
        "le {d} {m} {y}", "{w} {d} {m} {y}", "Paris, le {d} {m} {y}", "ce {d} {m} {y}", "{d} {a}. {y}",
        "le 1er {m} {y}", "Le {w} {d} {m}",
    ),
    "de": _calendar(
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
        "{d}. {m} {y}", "den {d}. {m} {y}", "{w}, {d}. {m} {y}", "am {d}. {a}. {y}", "Köln, den {d}. {m} {y}",
    ),
    "es": _calendar(
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "lunes martes miércoles jueves viernes sábado domingo",
        "{d} de {m} de {y}", "{w}, {d} de {m} de {y}", "Madrid, {d} de {m} de {y}", "el {d} de {m}",
    ),
    "it": _calendar(
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "lunedì martedì mercoledì giovedì venerdì sabato domenica",
        "{d} {m} {y}", "{w} {d} {m} {y}", "Roma, {d} {m} {y}", "il 1° {m} {y}",
    ),
    "pt": _calendar(
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
        "{d} de {m} de {y}", "{w}, {d} de {m} de {y}", "Lisboa, {d} de {m} de {y}",
    ),
    "nl": _calendar(
        "januari februari maart april mei juni juli augustus september oktober november december",
        "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
        "{d} {m} {y}", "{w} {d} {m} {y}", "Utrecht, {d} {m} {y}", "den {d}en {m} {y}",
    ),
    "pl": _calendar(
        "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
        "poniedziałek wtorek środa czwartek piątek sobota niedziela",
        "{d} {m} {y} r.", "{w}, {d} {m} {y}", "Kraków, dnia {d} {m} {y} r.", "dn. {d} {m} {y}",
    ),
    "cs": _calendar(
        "ledna února března dubna května června července srpna září října listopadu prosince",
        "pondělí úterý středa čtvrtek pátek sobota neděle",
        "{d}. {m} {y}", "{w} {d}. {m} {y}", "V Praze dne {d}. {m} {y}",
    ),
    "sv": _calendar(
        "januari februari mars april maj juni juli augusti september oktober november december",
        "måndag tisdag onsdag torsdag fredag lördag söndag",
        "{d} {m} {y}", "den {d} {m} {y}", "{w}en den {d} {m}", "Göteborg den {d} {m} {y}",
    ),
    "da": _calendar(
        "januar februar marts april maj juni juli august september oktober november december",
        "mandag tirsdag onsdag torsdag fredag lørdag søndag",
        "{d}. {m} {y}", "den {d}. {m} {y}", "{w} den {d}. {m} {y}", "København, {d}. {m} {y}",
    ),
    "tr": _calendar(
        "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık",
        "Pazartesi Salı Çarşamba Perşembe Cuma Cumartesi Pazar",
        "{d} {m} {y}", "{d} {m} {y} {w}", "İstanbul, {d} {m} {y}",
    ),
}  # fmt: skip


def ordinal(number: int) -> str:
    """The ending of an English ordinal: "st" of 21.

    >>> [ordinal(number) for number in (1, 2, 3, 4, 11, 22)]
    ['st', 'nd', 'rd', 'th', 'th', 'nd']
    """
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
