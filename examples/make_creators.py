"""Writes creators.csv, the 500 invented rows of the demo: `python examples/make_creators.py`.

Always the same bytes. Which rows there are, how many of each and why: README.md beside this file. No handle was
taken from anywhere: every surname is made up.
"""

import csv
import io
import random
import unicodedata
from pathlib import Path

FILE = Path(__file__).with_name("creators.csv")
COLUMNS = ("instagramUsername", "profileUrl", "fullName", "firstName", "category", "followerCount", "favouritePost")
ROWS = 500
SEED = 2026

# On the suppression list before the upload; the demo puts them there.
SUPPRESSED = (
    "mila.ostravelle", "devon.quillbrook", "yuna.harrowmere", "tomas.veldrini", "imani.castlewick", "freya.lundqvara",
)  # fmt: skip
# Asks to be left alone while the campaign runs: accepted, and skipped when its turn comes. The last row.
SUPPRESSED_LATER = "noor.everlyn.paints"

# What each prefix does: the sandbox's magic usernames in the API reference.
MAGIC = {
    "sandbox.replies": 12,
    "sandbox.optout": 3,
    "sandbox.silent": 6,
    "sandbox.private": 4,
    "sandbox.notfound": 3,
    "sandbox.ratelimit": 1,
    "sandbox.challenge": 1,
    "sandbox.disabled": 1,
    "sandbox.timeout.sent": 2,
    "sandbox.timeout.lost": 2,
    "sandbox.error": 2,
    "sandbox.noroute": 3,
    "sandbox.slow": 3,
}

FIRST_NAMES = (
    "Amara", "Anaïs", "Aoife", "Beatriz", "Björn", "Camila", "Chidi", "Chloé", "Dario", "Elif", "Emre", "Fatima",
    "Femi", "Giulia", "Hana", "Hugo", "Ines", "Ivo", "Jae", "José", "Kofi", "Lena", "Léo", "Lucía", "Maja", "Marco",
    "Mei", "Mikael", "Nadia", "Niamh", "Noa", "Olu", "Paloma", "Priya", "Rafa", "Renée", "Rosa", "Saoirse", "Selma",
    "Sven", "Tariq", "Thandi", "Tove", "Uma", "Viktor", "Wren", "Xiomara", "Yara", "Zoë", "Zuri",
)  # fmt: skip
SURNAME_STARTS = (
    "Alder", "Bram", "Cald", "Drey", "Elmar", "Fenn", "Garro", "Hollin", "Isk", "Jun", "Kest", "Lumi", "Morr", "Nav",
    "Orl", "Pell", "Quist", "Rhos", "Sav", "Thorn", "Ulv", "Vanna", "Wex", "Yarrow", "Zell",
)  # fmt: skip
SURNAME_ENDS = ("ani", "beck", "dane", "ello", "field", "gard", "ovic", "quist", "ström", "vale", "wick", "yara")
# Category: how handles of it end, and posts that one could have liked.
CATEGORIES = {
    "fitness": (("lifts", "moves", "trains"), ("the ten-minute mobility routine", "your first pull-up")),
    "baking": (("bakes", "crumbs", "kneads"), ("the sourdough that failed twice", "the plum galette")),
    "travel": (("roams", "wanders", "abroad"), ("the night train to Narvik", "three days without a map")),
    "skincare": (("glow", "skin"), ("the honest sunscreen test", "the two-step evening routine")),
    "gaming": (("plays", "respawns"), ("the cosy-games list", "the speedrun that ended in a wall")),
    "books": (("reads", "pages"), ("the shelf under the stairs", "books I gave up on")),
    "parenting": (("at.home", "and.co"), ("lunch boxes that came back empty", "the screen-time truce")),
    "interiors": (("at.nr5", "builds", "rooms"), ("the green kitchen", "one room, three layouts")),
    "music": (("plays.live", "loops"), ("the one-take rooftop session", "how a chorus is built")),
    "photography": (("frames", "on.film"), ("the harbour at five in the morning", "a roll of expired film")),
    "streetwear": (("fits", "thrifts"), ("the repaired denim jacket", "ten outfits from one suitcase")),
    "gardening": (("grows", "digs"), ("tomatoes on a balcony", "the hedgehog corner")),
}
LETTERS = str.maketrans({"ø": "o", "ł": "l", "ß": "ss"})

Row = dict[str, str]


def rows() -> list[Row]:
    """Every row in the order of the file."""
    chance = random.Random(SEED)
    special = [*_magic(chance), *_hostile(chance), *_suppressed(chance)]
    repeats = 9
    invalid = _invalid(chance)
    ordinary = _ordinary(chance, ROWS - len(special) - repeats - len(invalid) - 1)
    duplicates = _duplicates(ordinary[:repeats])
    spread = _spread(chance, ordinary, [*special, *invalid])
    # A repeat stands after what it repeats, so that it is the one that is refused.
    for number, duplicate in enumerate(duplicates):
        spread.insert(len(spread) - 7 * number, duplicate)
    return [*spread, _person(chance, SUPPRESSED_LATER, "Noor Everlyn", "painting", "the blue series")]


def _ordinary(chance: random.Random, count: int) -> list[Row]:
    made: dict[str, Row] = {}
    while len(made) < count:
        first, category = chance.choice(FIRST_NAMES), chance.choice(list(CATEGORIES))
        surname = chance.choice(SURNAME_STARTS) + chance.choice(SURNAME_ENDS)
        endings, posts = CATEGORIES[category]
        handle = _handle(chance, first, surname, chance.choice(endings))
        if len(handle) <= 30 and handle not in made:
            made[handle] = _person(chance, handle, f"{first} {surname}", category, chance.choice(posts))
    people = list(made.values())
    for row in people[20:34]:  # 14 whose first name nobody knows: the template has a fallback
        row["firstName"] = ""
    for row in people[40:44]:  # 4 without a category: the template has none, so they are skipped
        row["category"] = ""
    for row in people[50:110]:
        row["favouritePost"] = ""
    for row in people[120:150]:
        row["profileUrl"] = ""
    return people


def _handle(chance: random.Random, first: str, surname: str, ending: str) -> str:
    first, surname = _ascii(first), _ascii(surname)
    return chance.choice((
        f"{first}.{surname}", f"{first}.{surname}.{ending}", f"{surname}.{ending}", f"{first}_{surname}",
        f"{first}{surname}{chance.randint(2, 99)}", f"the.{surname}.{ending}", f"{surname}{ending.replace('.', '')}",
    ))  # fmt: skip


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFD", name.lower().translate(LETTERS))
    return "".join(character for character in plain if character.isascii())


def _person(chance: random.Random, handle: str, full_name: str, category: str, post: str) -> Row:
    # Most are small, a few are large.
    followers = int(1_200 * 1.9 ** chance.uniform(0, 9))
    cells = (
        handle,
        f"https://instagram.com/{handle}",
        full_name,
        full_name.split(maxsplit=1)[0],
        category,
        str(followers),
        post,
    )
    return dict(zip(COLUMNS, cells, strict=True))


def _magic(chance: random.Random) -> list[Row]:
    return [
        _person(chance, f"{prefix}.{number:04}", f"Sandbox {prefix.rpartition('.')[2].title()}", "testing", "")
        for prefix, count in MAGIC.items()
        for number in range(1, count + 1)
    ]


def _suppressed(chance: random.Random) -> list[Row]:
    made: list[Row] = []
    for handle in SUPPRESSED:
        name = handle.replace(".", " ").title()
        made.append(_person(chance, handle, name, chance.choice(list(CATEGORIES)), "a day in the studio"))
    made[1]["instagramUsername"] = "@Devon.Quillbrook"
    made[4]["instagramUsername"] = "https://www.instagram.com/imani.castlewick/"
    return made


def _duplicates(originals: list[Row]) -> list[Row]:
    """The same people once more, as other tools export them."""
    spellings = (
        "@{name}", "{upper}", " {name} ", "https://instagram.com/{name}", "https://www.instagram.com/{name}/",
        "instagram.com/{name}", "https://www.instagram.com/{name}/?hl=en&igsh=MzRlODBiNWFlZA==", "@{upper}", "{name}",
    )  # fmt: skip
    made: list[Row] = []
    for original, spelling in zip(originals, spellings, strict=True):
        name = original["instagramUsername"]
        made.append(original | {"instagramUsername": spelling.format(name=name, upper=name.upper()), "profileUrl": ""})
    return made


def _hostile(chance: random.Random) -> list[Row]:
    """Text that breaks careless programs. All of these people can be written to, but the last."""
    texts = (
        ("ondine.formulane", "=SUM(A1:A9)", "=SUM(A1:A9)", '=HYPERLINK("http://example.com","free money")'),
        ("pim.minusvale", "-2+3", "+31 20 000 0000", "@SUM(1+1)*cmd|' /C calc'!A0"),
        ("rue.confetti.park", "Rue 🎉👩‍🍳", "Rue 🎉", "the 🍰 with 🇵🇹 flags"),
        ("layla.almarsa.cooks", "ليلى المرسى", "ليلى", "وصفة خبز الزعتر"),
        ("shira.orenbach", "שירה אורנבך", "שירה", "הגינה על הגג"),
        ("mirror.rosko", "Rosko \u202edlohtrim\u202c", "Ros\u200bko", "the mirror \u2066maze\u2069"),
        ("bracket.hallow", "{{fullName}}", "{{firstName}}", "{{category|nothing}} }} {{"),
        ("tag.ferrow", "<script>alert(1)</script>", "<b>Tag</b>", "\"quotes\", 'quotes', and a \\ backslash"),
        ("query.tablewood", "Robert'); DROP TABLE targets;--", "Robert", "%s %n ${jndi:ldap://x} \n a second line"),
        ("hanako.zürn".replace("ü", "ue"), "花子 ツュルン", "花子", "京都の朝"),
        ("rambling.osgood", "Rambling Osgood", "Rambling", "and then " * 110 + "it ended"),
    )
    made: list[Row] = []
    for handle, full_name, first_name, post in texts:
        row = _person(chance, handle, full_name, chance.choice(list(CATEGORIES)), post)
        made.append(row | {"firstName": first_name})
    return made


def _invalid(chance: random.Random) -> list[Row]:
    """Rows that name nobody, or two people, or are no number."""

    def person(handle: str, **instead: str) -> Row:
        return _person(chance, handle, "Nobody Certain", "books", "") | instead

    return [
        person("", profileUrl=""),
        person("wrеn.alderquist", profileUrl=""),  # the first e is Cyrillic
        person("elsa.two.names", profileUrl="https://instagram.com/somebody.else"),
        person("cleo.many.thousand", followerCount="24k"),
        person("=1+1", profileUrl=""),
    ]


def _spread(chance: random.Random, ordinary: list[Row], special: list[Row]) -> list[Row]:
    """The special rows at even distances, so that slow people do not hold every sender at once."""
    special = chance.sample(special, len(special))
    slow = [row for row in special if row["instagramUsername"].startswith("sandbox.slow")]
    others = [row for row in special if row not in slow]
    spread = list(ordinary)
    for number, row in enumerate(others):
        spread.insert(4 + number * (len(ordinary) // len(others) + 1), row)
    for number, row in enumerate(slow):
        spread.insert(len(spread) * (number + 1) // 5, row)
    return spread


def as_csv() -> bytes:
    """The file as it is committed; empty cells are absent fields."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([row[name] for name in COLUMNS] for row in rows())
    return written.getvalue().encode()


if __name__ == "__main__":
    FILE.write_bytes(as_csv())
    print(f"{FILE.name}: {len(rows())} rows")
