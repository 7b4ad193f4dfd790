"""Turns a plot and the word lists into one story with a consistent world.

A `World` fixes who the hero and the friend are, their pronouns, the object, the place and so on; every sentence and every
question is then filled from that one world, which is what makes "Who lost the ball?" answerable from the text.
"""

import random
import re

import words as w
from plots import PLOTS
from plots_more import PLOTS_MORE

ALL_PLOTS = PLOTS + PLOTS_MORE
CHOICE = re.compile(r"\[([^\[\]]*)\]")
SAID = r"((?:said|asked|cried|called|shouted|thought|whispered)\b)"
FIELD = re.compile(r"\{(\w+)\}")
SHE = {"princess", "queen", "witch", "mermaid", "hen", "cow", "cowgirl"}
HE = {"prince", "king", "wizard", "pirate", "knight", "cowboy", "fisherman"}
MASS = ["milk", "sugar", "flour", "butter", "salt", "honey", "cheese"]
SHELTERS = ["a cave", "an old barn", "a little shed", "a hollow tree", "a small hut", "an empty house", "a big tent"]
HELPERS = "farmer teacher sailor baker doctor king queen painter gardener".split()
LIKES = ["to play", "to sing", "to read books", "to run", "to laugh", "to dance", "to look at the clouds", "to swim",
         "to tell jokes", "to paint", "to help others", "to climb", "to eat cake", "to sleep late", "to draw", "to explore"]
WEATHER = "sunny warm cold windy rainy cloudy snowy bright quiet foggy".split()


def article(noun):
    """`noun` with the article that its first letter calls for."""
    vowel = noun[0].lower() in "aeiou" and not noun.startswith(("unicorn", "one", "uk"))
    return ("an " if vowel else "a ") + noun


def made_up(rng):
    """A name nobody has: it teaches the model to copy a name rather than to pick one that it knows."""
    return "".join(rng.choice(w.SYLLABLES) for _ in range(rng.choice((2, 2, 3)))).capitalize()


def choose(text, rng):
    """Resolves every `[a|b]`, innermost first."""
    while True:
        text, hits = CHOICE.subn(lambda m: rng.choice(m.group(1).split("|")), text)
        if not hits:
            return text


def sentence_case(text):
    """Upper-cases the first letter of the text and of every sentence and quotation that starts one."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r'(^|[.!?]"? )("?)([a-z])', lambda m: m.group(1) + m.group(2) + m.group(3).upper(), text)
    # A question or shout inside quotation marks goes on with a lower-case "he said" or "asked the fox": put that back.
    text = re.sub(r'([!?]" )(He|She|They|It|The)( (?:\w+ )?)' + SAID, lambda m: m[1] + m[2].lower() + m[3] + m[4], text)
    text = re.sub(r'([!?]" )' + "(?i:" + SAID + ")", lambda m: m[1] + m[2].lower(), text)
    return re.sub(r'"((?:Are|How|What|Can|May|Do you|Will|Did|Would|Why|Is) [^".,!?]*)[,.]"', r'"\1?"', text)


def title_case(text):
    """Title case for a noun phrase ("the red ball" -> "the Red Ball")."""
    return " ".join(x if x in ("a", "an", "the", "of", "to", "in", "for", "and") else x[:1].upper() + x[1:] for x in text.split())


class Actor:
    """A hero or a friend: what it is, what it is called, and its pronouns."""

    def __init__(self, rng, kind=None, name=None, she=None):
        pick = rng.random()
        self.kind = kind or ("child" if name or pick < 0.5 else rng.choice(w.ANIMALS if pick < 0.85 else w.CREATURES))
        self.she = (self.kind in SHE or self.kind == "girl") or (self.kind not in HE and self.kind != "boy" and (
            she if she is not None else name in w.GIRLS or (name not in w.BOYS and rng.random() < 0.5)))
        human = self.kind in ("child", "girl", "boy")
        if human:
            self.kind = "girl" if self.she else "boy"
        if name is None and (human or rng.random() < 0.55):
            usual = (w.GIRLS if self.she else w.BOYS) if human or rng.random() < 0.4 else w.PET_NAMES
            name = made_up(rng) if rng.random() < 0.06 else rng.choice(usual)
        self.name = name
        self.human = human
        self.mention = name or "the " + self.kind
        self.call = name or self.kind.capitalize()
        adj = rng.choice(w.HERO_ADJ + [""] * 8)
        self.full = article((adj + " " if adj else "") + self.kind) + (" named " + name if name else "")
        self.short = name if name and (human or rng.random() < 0.5) else article(self.kind)
        self.he, self.him, self.his = ("she", "her", "her") if self.she else ("he", "him", "his")


def thing(rng, avoid=(), head=None):
    """An object with one adjective: (head, whole phrase, colour or "")."""
    head = head or rng.choice([x for x in w.OBJECTS if x not in avoid])
    colour = rng.choice(w.COLOURS) if rng.random() < 0.65 else ""
    return head, (colour or rng.choice(w.OBJ_ADJ)) + " " + head, colour


class World:
    """Everything one story may mention; `fields` is what `{name}` in a template reads."""

    def __init__(self, rng, plot, hero=None, obj=None):
        self.plot = plot
        self.hero = hero or Actor(rng)
        self.friend = Actor(rng)
        while self.friend.mention == self.hero.mention or self.friend.kind == self.hero.kind and not self.hero.human:
            self.friend = Actor(rng)
        self.fields = self._people() | self._things(rng, obj) | self._places(rng, plot)
        self.fields["skill"] = self.fields["skill"].replace("{his}", self.hero.his)
        for k in "o p broken build pet items n skill".split():
            self.fields[k.upper() if len(k) == 1 else k.capitalize()] = title_case(self.fields[k])
        self.fields["H"], self.fields["F"] = title_case(self.hero.mention), title_case(self.friend.mention)
        self.fields["Kind"] = title_case(self.hero.kind)

    def _people(self):
        h, f = self.hero, self.friend
        return dict(h=h.mention, hn=h.call, he=h.he, him=h.him, his=h.his, himself=h.him + "self", h_full=h.full,
                    h_short=h.short, kind=h.kind, a_kind=article(h.kind), who=article(h.kind) if h.short[:2] in ("a ", "an")
                    or not h.name else article(h.kind) + " named " + h.name,
                    f=f.mention, fn=f.call, fhe=f.he, fhim=f.him, fhis=f.his, f_full=f.full, f_short=f.short,
                    fkind=f.kind, a_fkind=article(f.kind))

    def _things(self, rng, obj):
        head, phrase, colour = thing(rng, (self.hero.kind, self.friend.kind), obj)
        noise, cause = rng.choice(w.NOISES)
        stuck, unstuck = rng.choice(w.STUCK)
        vehicle, (one, many) = rng.choice(w.VEHICLES), rng.choice(w.COUNTED)
        n = rng.randint(3, 12)
        m = rng.randint(1, n - 1)
        ing1, ing2, ing3 = rng.sample(MASS, 3)
        pet = rng.choice("puppy kitten rabbit bird pony turtle parrot hamster dog cat".split())
        broken = rng.choice(w.BREAKABLE)
        return dict(o=phrase, oh=head, a_o=article(phrase), a_oh=article(head), col=colour, food=rng.choice(w.FOODS),
                    noise=noise, noise_by=cause, stuck=stuck, unstuck=unstuck, vehicle=vehicle, vehicle_n=vehicle.split()[-1],
                    items=many, n=w.NUMBERS[n], m=w.NUMBERS[m], k=w.NUMBERS[n - m], items_m=one if m == 1 else many,
                    items_k=one if n - m == 1 else many, ing1=ing1, ing2=ing2, ing3=ing3, ing1_mass=ing1,
                    dish=rng.choice(w.DISHES), dish2=rng.choice(w.DISHES), pet=pet, a_pet=article(pet), broken=broken,
                    build=rng.choice(w.BUILDS), seed=rng.choice(w.SEEDS), skill=rng.choice(w.SKILLS)[0],
                    good=rng.choice(w.FEEL_GOOD), bad=rng.choice(w.FEEL_BAD), col2=rng.choice(w.COLOURS))

    def _places(self, rng, plot):
        indoors = plot["title"].startswith(("The Lost {O}", "A New")) and rng.random() < 0.25
        name, prep, out = rng.choice([x for x in w.PLACES if (x[2] == "0") == indoors])
        spot, spot2 = rng.sample(w.SPOTS[0 if out == "1" else 1], 2)
        home = rng.choice(w.HOMES if self.hero.human else w.WILD_HOMES)
        return dict(p=name, pp=f"{prep} {name}", to_p="to " + name, out=f"{prep} {name}", to_out="to " + name, spot=spot,
                    spot2=spot2, shelter=rng.choice(SHELTERS), day=rng.choice(["day", "day", "morning", "afternoon"]),
                    weather=rng.choice(WEATHER), home=home.replace("{p}", rng.choice(w.PLACES)[0]), kin=rng.choice(w.KIN),
                    kind2=rng.choice(HELPERS), had_fun="talked [until dinner|for a long time|and laughed|about their day]")

    def fill(self, template, rng):
        """One template -> finished text."""
        text = choose(template, rng)
        for _ in range(2):
            text = FIELD.sub(lambda m: self.fields[m.group(1)], text)
        return choose(text, rng)


def opening(world, rng, once):
    """The sentences that introduce the hero."""
    first = ["Once upon a time, there was {h_full}.", "Once upon a time, {h_full} lived in {home}."]
    if not once:
        first += ["There once was {h_full}.", "Once there was {h_full}.", "{h_full} lived in {home}.",
                  "In {home}, there lived {h_full}.", "Long ago, there was {h_full}.", "This is a story about {h_full}."]
    text = rng.choice(first)
    if "{home}" not in text and rng.random() < 0.45:
        text += " {he} lived in {home}[| with {his} {kin}]."
    if rng.random() < 0.45:
        text += " {he} loved " + rng.choice(LIKES) + "."
    return re.sub(r"([Ii])n a farm\b", lambda m: ("O" if m[1] == "I" else "o") + "n a farm", world.fill(text, rng))


def tell(world, rng, once=False):
    """The story itself, as one paragraph or two."""
    beats = []
    for line in world.plot["beats"].strip().split("\n"):
        if line.startswith("?"):
            if rng.random() < 0.5:
                continue
            line = line[1:]
        beats.append(rng.choice(line.split(" || ")))
    at = next(i for i, b in enumerate(beats) if re.search(r"\{f(_full)?\}", b)) if any("{f}" in b for b in beats) else None
    if at is not None and "{f_full}" not in beats[at]:
        first = world.friend.full if rng.random() < 0.4 else "{his} friend " + world.friend.mention
        if world.friend.name and rng.random() < 0.25:
            first = world.friend.mention
        if "{f}'s" not in beats[at].split("{f}", 1)[0] + beats[at][beats[at].index("{f}"):][:5]:
            beats[at] = beats[at].replace("{f}", first, 1) if "{his} friend the" not in first else \
                beats[at].replace("{f}", world.friend.full, 1)
    parts = [opening(world, rng, once)] + [world.fill(b, rng) for b in beats]
    parts = [sentence_case(p) for p in parts]
    cut = rng.randint(2, len(parts) - 2)
    if rng.random() < 0.5:
        return " ".join(parts)
    return " ".join(parts[:cut]) + "\n\n" + " ".join(parts[cut:])


def questions(world, rng, story):
    """All (question, answer) pairs that the told story settles, in random order."""
    pairs, text = [], story.lower()
    for line in world.plot["ask"].strip().split("\n"):
        q, a = line.split(" => ")
        known = all(world.fields[k] and world.fields[k].lower() in text for k in FIELD.findall(a))
        if known:
            pairs.append((sentence_case(world.fill(q, rng)), sentence_case(world.fill(a, rng))))
    rng.shuffle(pairs)
    return pairs


if __name__ == "__main__":
    r = random.Random()
    for plot in ALL_PLOTS:
        world = World(r, plot)
        print("##", title_case(world.fill(plot["title"], r)), "|", world.fill(r.choice(plot["about"]), r))
        story = tell(world, r)
        print(story)
        for pair in questions(world, r, story)[:3]:
            print("  ", *pair)
        print("  ", sentence_case(world.fill(plot["summary"], r)), "\n")
