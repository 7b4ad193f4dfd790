"""Producers of chat turns: each returns a list of (user text, assistant text) that a document strings together."""

import json
import re

import chat_lines as c
import words as w
from grammar import ALL_PLOTS, Actor, World, article, choose, made_up, questions, sentence_case, tell, title_case

ASK_STORY = """Tell me a story about {s}|Tell me a short story about {s}|Write a story about {s}|Write a short story about {s}|Can you tell me a story about {s}?
Please tell me a story about {s}|I want a story about {s}|Could you write a story about {s}?|A story about {s}|story about {s}|Make up a story about {s}
I would like to hear a story about {s}|Give me a story about {s}|Write me a story about {s}|Tell a story about {s}|Write a little story about {s}
Tell me about {s} in a story|a short story about {s}, please|Can I have a story about {s}?|Write a tiny story about {s}|Do you know a story about {s}?
Write a few sentences about {s}|Write a fairy tale about {s}|Tell me a bedtime story about {s}""".replace("\n", "|").split("|")
ASK_ANY = """Tell me a story|Tell me a short story|Write a story|Write a short story|I want a story|Can you tell me a story?|A story please|Story please
Tell me something fun|Tell me a bedtime story|Do you know a story?|Please tell me a story|story|Give me a story|I would like a story|Write me a story
Once upon a time|Start a story""".replace("\n", "|").split("|")
ANOTHER = "Another one|Tell me another story|One more|Another story please|Tell me one more story|More|Again|Can I have another story?|Another one, please".split("|")
LEAD_IN = ["", "", "", "", "", "", "[Sure!|Of course!|Here is a story.|Here is a little story.|Yes!|With pleasure!] "]
ASK_SUMMARY = "What was the story about?|Sum it up|Tell me the story in one sentence|Summarize the story|Make it shorter|Give me a summary|What happened in the story?|Summarize it in one sentence".split("|")
ASK_TITLE = "What is a good title?|Give it a title|What is the title of the story?|What is the story called?|Can you give the story a title?".split("|")
ASK_HERO = "Who is the story about?|Who is the hero of the story?|Who is the main character?|What is the name of the hero?".split("|")


def rough(text, rng):
    """What people really type: often lower case, often without the last punctuation mark."""
    pick = rng.random()
    if pick < 0.28:
        text = text.lower()
    if pick < 0.45 and text[-1] in ".?!":
        text = text[:-1]
    elif pick > 0.75 and text[-1].isalnum():
        text += rng.choice([".", ".", "!", " please" if text.split()[0] in ("Tell", "Write", "Give", "Name", "Make") else "."])
    return text


def subject_story(rng):
    """A request for a story on some subject and a world in which the story honours it: (world, subject)."""
    plot = rng.choice(ALL_PLOTS)
    hero = Actor(rng)
    pick, obj = rng.random(), None
    if "o" in plot["needs"].split() and pick < 0.3:
        obj = rng.choice(w.OBJECTS)
    world = World(rng, plot, hero, obj)
    if obj and obj not in (world.hero.kind, world.friend.kind):
        subject = rng.choice(["{a_oh}", "{h_short} and {a_oh}", "{a_oh}", "{h_short} and the {oh}", "{a_o}"])
    elif pick < 0.55:
        subject = "{h_short}" if hero.human and rng.random() < 0.6 else rng.choice(["{a_kind}", "{who}", "{a_kind}", "{h_short}"])
    elif pick < 0.65:
        subject = "{h_short} and {f_short}"
    else:
        subject = rng.choice(plot["about"])
    return world, world.fill(subject, rng)


def follow_ups(world, story, rng):
    """Questions after a story, with their answers."""
    pairs = questions(world, rng, story)[: rng.choice((0, 1, 1, 2, 2, 3, 4))]
    if rng.random() < 0.3:  # people say "he" for the hero
        pairs = [(re.sub(rf"\b{world.hero.mention}(?! and\b|'s)", world.hero.he, q, count=1), a) for q, a in pairs]
    turns = [(rough(q, rng), a) for q, a in pairs]
    if rng.random() < 0.12:
        turns.append((rough(rng.choice(ASK_SUMMARY), rng), sentence_case(world.fill(world.plot["summary"], rng))))
    if rng.random() < 0.08:
        turns.append((rough(rng.choice(ASK_TITLE), rng), title_case(world.fill(world.plot["title"], rng))))
    if rng.random() < 0.08:
        turns.append((rough(rng.choice(ASK_HERO), rng), sentence_case(f"The story is about {world.hero.mention}.")))
    rng.shuffle(turns)
    return turns


def story_turns(rng):
    """A story on request, then perhaps questions on it."""
    if rng.random() < 0.18:
        world = World(rng, rng.choice(ALL_PLOTS))
        ask = rng.choice(ASK_ANY if rng.random() < 0.7 else ANOTHER)
    else:
        world, subject = subject_story(rng)
        ask = rng.choice(ASK_STORY).replace("{s}", subject)
    story = tell(world, rng, once=rng.random() < 0.35)
    return [(rough(ask, rng), choose(rng.choice(LEAD_IN), rng) + story)] + follow_ups(world, story, rng)


def pasted_story_turns(rng):
    """The user brings the story and asks about it."""
    world = World(rng, rng.choice(ALL_PLOTS))
    story = tell(world, rng).replace("\n\n", " ")
    pairs = questions(world, rng, story)[: rng.randint(1, 3)]
    if not pairs:
        return story_turns(rng)
    (q, a), rest = pairs[0], pairs[1:]
    frame = rng.choice(["{s}\n\n{q}", "Read this story: {s}\n\n{q}", "{s} {q}", "Here is a story. {s}\n\nQuestion: {q}", "{q}\n\n{s}"])
    return [(frame.format(s=story, q=q), a)] + [(rough(x, rng), y) for x, y in rest]


def small_talk_turns(rng):
    """One line of small talk."""
    says, answers = rng.choice(c.SMALL_TALK if rng.random() < 0.75 else c.SMALL_TALK[:15])
    says = choose(says, rng) if "[" in says else says
    return [(rough(rng.choice(says.split("|")), rng), _alternative(answers, rng))]


def _alternative(text, rng):
    """One of the top-level `|` alternatives (brackets may hold `|` of their own), then the choices inside it."""
    parts, depth, start = [], 0, 0
    for i, ch in enumerate(text):
        depth += (ch == "[") - (ch == "]")
        if ch == "|" and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return choose(rng.choice(parts + [text[start:]]), rng)


SIGHTS = """{n} saw {d} {t} {at} {p}.|{n} has {d} {t} {at} {p}.|Yesterday {n} counted {d} {t} {at} {p}.|There were {d} {t} when {n} came to {p}.
{n} went to {p} and bought {d} {t}.|In {p}, {n} found {d} {t}.|{n} took {d} {t} to {p}.|{n} lives in {p} and has {d} {t}.|{n} is {d} years old and lives in {p}.
{n} from {p} sold {d} {t}.|At {p}, {n} met {d} people.|My friend {n} has {d} {t} in {p}.|I met {n} in {p} {d} days ago.|{n} walked {d} miles to {p}.
Last week {n} drove {d} miles to {p}.|{d} {t} were sent to {n} in {p}.|{n} will be in {p} for {d} days.|{n} works in {p} with {d} other people.|We saw {n} with {d} {t} near {p}.
My name is {n}, I live in {p} and I am {d} years old.|I am {n} from {p} and I have {d} {t}.|{n} stayed at {p} for {d} hours.|{n} paid {d} coins for a ticket to {p}.
{n} ordered {d} {t} in {p}.|{d} {t} wait for {n} at {p}.|Please send {d} {t} to {n} in {p}.|{n} and {d} friends went to {p}.""".replace("\n", "|").split("|")
ASK_JSON = """Extract the name, place and number as JSON: {s}|Give me JSON with name, place and number: {s}|Turn this into JSON: {s}|{s} Write it as JSON.
Find the name, the place and the number and answer as JSON. {s}|JSON: {s}|Extract JSON from this sentence: {s}|{s}~Return the name, place and number as JSON.
Return JSON with the keys name, place and number for this text: {s}|Extract: {s}|Read this and fill in name, place and number: {s}|Make JSON from: {s}
Extract the name, place and number from this sentence: {s}|Extract the name, place and number into JSON: {s}|What are the name, place and number? {s}
Extract the name, place and number as JSON:~{s}|Extract the name, place and number from this text as JSON.~~{s}""".replace("\n", "|").replace("~", "\n").split("|")


def sight(rng):
    """A sentence with a name, a place and a number, and the three."""
    name = made_up(rng) if rng.random() < 0.35 else rng.choice(w.GIRLS + w.BOYS + w.PET_NAMES)
    at, place = "in", made_up(rng) if rng.random() < 0.3 else rng.choice(w.TOWNS)
    if rng.random() < 0.5:
        place, at, _ = rng.choice(w.PLACES)
    number = rng.choice((rng.randint(2, 20), rng.randint(2, 100), rng.randint(2, 999)))
    words = w.NUMBERS[number] if number <= 20 and rng.random() < 0.4 else str(number)
    text = rng.choice(SIGHTS).format(n=name, d=words, t=rng.choice(w.SEEN), at=at, p=place)
    return text[0].upper() + text[1:], dict(name=name, place=place, number=number)


def extraction_turns(rng, bare=False):
    """Name, place and number into JSON; `bare` leaves the instruction to a system message."""
    text, facts = sight(rng)
    ask = text if bare else rng.choice(ASK_JSON).replace("{s}", text)
    turns = [(ask if rng.random() < 0.8 else ask[0].lower() + ask[1:], json.dumps(facts))]
    if rng.random() < 0.25:
        text, facts = sight(rng)
        turns.append((text if bare else rng.choice(["Now this one: ", "And this: ", "Next: ", "Do the same: "]) + text, json.dumps(facts)))
    elif not bare and rng.random() < 0.12:
        key = rng.choice(list(facts))
        turns.append((rough(f"What is the {key}?", rng), f"The {key} is {facts[key]}."))
    return turns


def tiny_facts(rng):
    """One to four one-line facts about people, then a question that one of them answers."""
    people = rng.sample(w.GIRLS + w.BOYS, rng.randint(1, 4))
    lines, pairs = [], []
    shape = rng.choice(("where", "has", "color", "count", "likes"))
    for n in people:
        place, prep, _ = rng.choice(w.PLACES)
        head, phrase, _ = thing_of(rng)
        many, colour, animal = rng.randint(2, 12), rng.choice(w.COLOURS), rng.choice(w.ANIMALS)
        item = rng.choice(w.COUNTED)[1]
        line, q, a = dict(
            where=(f"{n} is {prep} {place}.", f"Where is {n}?", f"{n} is {prep} {place}."),
            has=(f"{n} has {article(phrase)}.", rng.choice([f"Who has the {head}?", f"What does {n} have?"]), f"{n} has {article(phrase)}."),
            color=(f"{n} has {article(colour)} {head}.", f"What color is {n}'s {head}?", f"{n}'s {head} is {colour}."),
            count=(f"{n} has {many} {item}.", f"How many {item} does {n} have?", f"{n} has {many} {item}."),
            likes=(f"{n} likes {animal} stories.", f"Who likes {animal} stories?", f"{n} likes {animal} stories."))[shape]
        lines.append(line.replace("a orange", "an orange"))
        pairs.append((q, a.replace("a orange", "an orange")))
    q, a = rng.choice(pairs)
    return [(rng.choice(["{f} {q}", "{f}\n{q}", "{q} {f}"]).format(f=" ".join(lines), q=q), a)]


def thing_of(rng):
    """An object for a fact: (head, phrase, adjective)."""
    head, adj = rng.choice(w.OBJECTS), rng.choice(w.COLOURS + w.OBJ_ADJ)
    return head, adj + " " + head, adj


def school_turns(rng):
    """Tiny facts any small child knows, copying, and sums up to twenty."""
    pick = rng.randrange(10)
    key = lambda d: rng.choice(list(d))
    if pick == 0:
        x = key(c.SOUNDS)
        return [(rough(rng.choice([f"What does {article(x)} say?", f"What sound does {article(x)} make?"]), rng), f"{article(x).capitalize()} says {c.SOUNDS[x]}.")]
    if pick == 1:
        x = key(c.OPPOSITES)
        return [(rough(rng.choice([f"What is the opposite of {x}?", f"Opposite of {x}?"]), rng), f"The opposite of {x} is {c.OPPOSITES[x]}.")]
    if pick == 2:
        x = key(c.BABIES)
        return [(rough(f"What do you call a baby {x}?", rng), f"A baby {x} is called a {c.BABIES[x]}.")]
    if pick == 3:
        x = key(c.COLOUR_FACTS)
        the = "the " if x in ("sky", "grass", "sun", "night", "sea") else "" if x in ("snow", "coal", "milk") else "a "
        return [(rough(f"What color is {the}{x}?", rng), f"{the}{x} is {c.COLOUR_FACTS[x]}.".capitalize())]
    if pick == 4:
        x, n = key(c.GROUPS), rng.choice((2, 3))
        items = rng.sample(c.GROUPS[x], n)
        text = ", ".join(items[:-1]) + " and " + items[-1] + "."
        return [(rough(f"Name {w.NUMBERS[n]} {x}", rng), text[0].upper() + text[1:])]
    if pick in (5, 6):
        a, b = rng.randint(0, 10), rng.randint(0, 10)
        a, b, sign, out = (a, b, "+", a + b) if rng.random() < 0.6 else (max(a, b), min(a, b), "-", abs(a - b))
        ask = rng.choice([f"What is {a} {sign} {b}?", f"{a} {sign} {b}", f"How much is {a} {sign} {b}?"])
        return [(rough(ask, rng), f"{a} {sign} {b} is {out}.")]
    if pick == 7:
        n = rng.choice(w.GIRLS + w.BOYS) if rng.random() < 0.7 else made_up(rng)
        hello = rng.choice([f"My name is {n}.", f"my name is {n}", f"Hello, I am {n}", f"Hi, my name is {n}", f"I'm {n}", f"I am {n}."])
        turns = [(hello, rng.choice([f"Hello, {n}! It is nice to meet you.", f"Nice to meet you, {n}!"]))]
        return turns + ([(rough("What is my name?", rng), f"Your name is {n}.")] if rng.random() < 0.5 else [])
    if pick == 8:
        text = rng.choice([f"the {rng.choice(w.HERO_ADJ)} {rng.choice(w.ANIMALS)} is in {rng.choice(w.PLACES)[0]}", made_up(rng), rng.choice(w.OBJECTS),
                           f"{rng.choice(w.COLOURS)} {rng.choice(w.OBJECTS)}", "hello world", "I like cake", rng.choice(w.GIRLS)])
        return [(rng.choice(["Say {t}", "Repeat after me: {t}", "Repeat: {t}", "say: {t}", "Please say {t}"]).format(t=text), text)]
    return tiny_facts(rng)


def fun_turns(rng):
    """Jokes, riddles and four-line poems."""
    pick = rng.random()
    if pick < 0.35:
        return [(rough(rng.choice(["Tell me a joke", "Do you know a joke?", "Make me laugh", "A joke please", "Tell me something funny", "joke", "Say something funny"]), rng), rng.choice(c.JOKES))]
    if pick < 0.5:
        return [(rough(rng.choice(["Tell me a riddle", "Do you know a riddle?", "Give me a riddle"]), rng), rng.choice(c.RIDDLES))]
    a = rng.choice(w.ANIMALS + w.CREATURES)
    ask = rng.choice(["Write a poem about {a}", "Write a short poem about {a}", "Tell me a poem about {a}", "A poem about {a}", "Can you write a poem about {a}?",
                      "Sing a song about {a}", "Write a song about {a}"]).format(a=article(a))
    poem = choose(rng.choice(c.POEM), rng).replace("{a}", a)
    return [(rough(ask, rng), poem.replace(" a " + a, " " + article(a)))]


def unknown_turns(rng):
    """Questions beyond the model, and an honest answer."""
    if rng.random() < 0.12:
        return [(rough(f"What is the capital of {rng.choice(c.CAPITAL_OF)}?", rng), choose(c.DONT_KNOW[0], rng))]
    return [(rough(rng.choice(c.ASK_TOPIC).replace("{t}", rng.choice(c.TOPICS)), rng), choose(rng.choice(c.DONT_KNOW), rng))]
