// Chat templates: Jinja's meaning where engines differ, errors with their lines, and whose text is whose.
import { describe, expect, test } from "vitest";
import { refusal } from "../testing/refusal.ts";
import { typedError } from "../testing/typed_error.ts";
import { compileChatTemplate } from "./chat_template.ts";
import type { ChatMessage, TemplateOptions } from "./chat_template.ts";

const user = (content: string): ChatMessage => ({ role: "user", content });

async function render(source: string, kwargs: Record<string, unknown> = {}, options: TemplateOptions = {}): Promise<string> {
  const template = await compileChatTemplate(source);
  return template.render([user("Hi"), { role: "assistant", content: null }], { ...options, kwargs });
}

describe("a template", () => {
  const data = {
    s: "Hello World",
    l: [3, 1, 2],
    d: { b: 1, A: "two" },
    n: null,
    f: 2.5,
    q: 'it\'s "q"',
    list: [{ k: "x", v: 1 }, { k: "y" }],
  };
  const cases: ReadonlyArray<readonly [source: string, output: string]> = [
    ["{% for m in messages %}{{ m.role }}:{{ m['content'] }};{% endfor %}", "user:Hi;assistant:None;"],
    ["{{ bos_token }}[{{ tools is defined }}{{ documents is none }}]", "[FalseFalse]"],
    [
      "{{ l }}{{ d }}{{ n }}{{ f }}{{ true }}{{ (1, 'a') }}{{ 1.0 }}{{ 7 // 2 }}{{ -7 // 2 }}{{ -7 % 3 }}{{ 1 / 2 }}",
      "[3, 1, 2]{'b': 1, 'A': 'two'}None2.5True(1, 'a')1.03-420.5",
    ],
    ["{{ q }}{{ [q] }}", "it's \"q\"['it\\'s \"q\"']"],
    [
      "{{ d|tojson }}{{ q|tojson }}{{ l|tojson(indent=1) }}{{ {'a': f}|tojson(separators=(',', ':')) }}",
      '{"b": 1, "A": "two"}"it\'s \\"q\\""[\n 3,\n 1,\n 2\n]{"a":2.5}',
    ],
    ["{{ '\u00e9<&'|tojson }}{{ '\u00e9'|tojson(ensure_ascii=true) }}{{ '<'|e }}", '"\u00e9<&""\\u00e9"&lt;'],
    [
      "{{ s.split(' ')[-1] }}{{ s[:2] }}{{ s[::-1] }}{{ s.strip('Hd') }}{{ s|length }}{{ '\ud83e\udd99x'|length }}{{ '\ud83e\udd99x'[0] }}",
      "WorldHedlroW olleHello Worl112\ud83e\udd99",
    ],
    [
      "{{ 'x' in s }}{{ 'W' in s }}{{ 3 in l }}{{ 'b' in d }}{{ none in l }}{{ [1] == [1] }}{{ {'a': 1} == {'a': 1.0} }}",
      "FalseTrueTrueTrueFalseTrueTrue",
    ],
    ["{% for x in l if x > 1 %}{{ loop.index }}/{{ loop.length }}={{ x }}{{ ',' if not loop.last }}{% endfor %}", "1/2=3,2/2=2"],
    ["{% for x in l %}{% set y = x %}{% endfor %}[{{ y }}]", "[]"],
    ["{% set ns = namespace(t=0) %}{% for x in l %}{% set ns.t = ns.t + x %}{% endfor %}{{ ns.t }}", "6"],
    ["{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% if x == 2 %}{% break %}{% endif %}{% endfor %}", "32"],
    ["{% for x in [] %}a{% else %}none{% endfor %}", "none"],
    [
      "{% macro m(a, b=2) %}{{ a }}{{ b }}{{ caller() if caller }}{% endmacro %}{{ m(1) }}{{ m(1, b=3) }}{% call m(5) %}!{% endcall %}",
      "121352!",
    ],
    ["{% set x = 1 %}{% macro m() %}{{ x }}{{ y }}{% endmacro %}{% for y in l %}{{ m() }}{% endfor %}", "111"],
    ["{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, z=2) }}", "(1,){'z': 2}"],
    ["{% set b %}x{{ 1 }}{% endset %}{{ b|upper }}{% filter upper %}a{{ s }}{% endfilter %}", "X1AHELLO WORLD"],
    [
      "{{ list|map(attribute='k')|join('-') }}{{ list|selectattr('v')|list|length }}{{ list|selectattr('k', 'equalto', 'y')|first }}",
      "x-y1{'k': 'y'}",
    ],
    ["{{ u|default('d') }}{{ ''|default('d') }}{{ ''|default('d', true) }}{{ n|default('d') }}", "ddNone"],
    [
      "{{ ['b', 'A']|sort }}{{ l|sort(reverse=true) }}{{ d|dictsort }}{{ l|max }}{{ [1, 1]|unique|list }}",
      "['A', 'b'][3, 2, 1][('A', 'two'), ('b', 1)]3[1]",
    ],
    [
      "{{ d.items()|list }}{{ d|items|list|length }}{{ d.get('zz') }}{{ d.get('zz', 0) }}{% for k, v in d.items() %}{{ k }}{% endfor %}",
      "[('b', 1), ('A', 'two')]2None0bA",
    ],
    [
      "{{ 'a\\nb'|indent(2) }}|{{ ' x '|trim }}|{{ 'aXa'.replace('a', 'b', 1) }}|{{ 'ab cd'|title }}|{{ '3'|int + 1 }}",
      "a\n  b|x|bXa|Ab Cd|4",
    ],
    ["  {%- if true %}\n x\n  {% endif %}\ny\n", " x\ny"],
    ["{# a comment #}{% generation %}g{% endgeneration %}", "g"],
    [
      "{{ range(3)|list }}{{ range(5, 0, -2)|list }}{{ 'ab' * 2 }}{{ [1] + [2] }}{{ 1 ~ 'x' ~ none }}",
      "[0, 1, 2][5, 3, 1]abab[1, 2]1xNone",
    ],
    ["{{ 1 if false }}{{ 'yes' if s is string and l is iterable and d is mapping and n is none and 2 is even else 'no' }}", "yes"],
    ["{{ undefined_name }}{% for x in undefined_name %}{% endfor %}{{ undefined_name|length }}{{ 'a' in undefined_name }}", "0False"],
    ["{{ s.constructor }}{{ d['__proto__'] }}{{ l.__class__ }}{{ constructor }}{{ globalThis }}{{ d.hasOwnProperty }}{{ range.call }}", ""],
  ];
  test.each(cases)("%s", async (source, output) => {
    expect(await render(source, data)).toBe(output);
  });

  test("sees own keys only, whatever they are called", async () => {
    const kwargs = JSON.parse('{"__proto__": {"polluted": 1}, "o": {"__proto__": 2, "constructor": 3, "toString": 4}}') as Record<
      string,
      unknown
    >;
    expect(await render("{{ __proto__ }}{{ o }}{{ o.constructor }}{{ o['toString'] }}{{ o.valueOf }}{{ polluted }}", kwargs)).toBe(
      "{'polluted': 1}{'__proto__': 2, 'constructor': 3, 'toString': 4}34",
    );
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("tells the time it is given, in English", async () => {
    const now = new Date(2024, 6, 6, 15, 4, 5);
    const formats = "%Y-%m-%d %H:%M:%S|%d %b %y|%B %-d|%A %a %j %p %I|%e|%F %T|%%|%Q";
    expect(await render(`{{ strftime_now('${formats}') }}`, {}, { now })).toBe(
      "2024-07-06 15:04:05|06 Jul 24|July 6|Saturday Sat 188 PM 03| 6|2024-07-06 15:04:05|%|%Q",
    );
  });

  test("is given chat_template_kwargs, tools, documents and the special tokens", async () => {
    const source =
      "{{ bos_token }}{{ eos_token }}{{ enable_thinking }}{{ tools[0].name }}{{ documents|length }}{{ add_generation_prompt }}";
    const options = { bosToken: "<s>", eosToken: "</s>", tools: [{ name: "t" }], documents: [], addGenerationPrompt: true };
    expect(await render(source, { enable_thinking: false, messages: "mine" }, options)).toBe("<s></s>Falset0True");
  });
});

describe("an error", () => {
  const syntax: ReadonlyArray<readonly [source: string, line: number]> = [
    ["a\nb {{ x", 2],
    ["{{ 1 }}\n{{ 1 + }}\n{{ 2 }}", 2],
    ["{% if x %}\n{% for y in z %}\n{% endif %}", 3],
    ["\n\n{% for x in y %}", 3],
    ["{% if x %}\n{% else %}\n", 1],
    ["x\n{% raw %}{% endraw %}", 2],
    ["{% set x = 1 %}\n{% set %}", 2],
    ["{{ 'a' }}\n{# never closed", 2],
    ["{% endif %}", 1],
    ["\n{% include 'secret' %}", 2],
    ["{% if a %}\n{% elif %}\n{% endif %}", 2],
  ];
  test.each(syntax)("of syntax in %j is in line %i", async (source, line) => {
    const error = await typedError(compileChatTemplate(source));
    expect([error.code, error.detail["line"]]).toEqual(["TEMPLATE.syntax", line]);
  });

  test("that the template raises carries its message", async () => {
    const template = await compileChatTemplate("{{ raise_exception('Roles must alternate: ' ~ messages[0].role) }}");
    const error = refusal(() => template.render([user("Hi")]));
    expect([error.code, error.detail["reason"]]).toEqual(["TEMPLATE.raised", "Roles must alternate: user"]);
  });

  const failing = [
    "{{ 'a' + messages }}",
    "{{ 'a' + none }}",
    "{{ 'a' in none }}",
    "{{ nothing.at.all }}",
    "{{ nothing() }}",
    "{{ messages.append(1) }}",
    "{{ messages[0].pop('role') }}",
    "{{ 1 / 0 }}",
    "{{ 'a'|no_such_filter }}",
    "{{ 'a' is no_such_test }}",
    "{% for x in 3 %}{% endfor %}",
    "{% for a, b in [1] %}{% endfor %}",
    "{{ nothing|tojson }}",
    "{{ messages|length(1) }}{{ 'a'.replace('b') }}",
    "{% macro m() %}{% endmacro %}{{ m(1) }}",
    "{% set messages.x = 1 %}",
    "{{ ''.__class__.__mro__ }}",
    "{% break %}",
    "{{ 10 ** 400 }}",
  ];
  test.each(failing)("%s is TEMPLATE.failed", async (source) => {
    const template = await compileChatTemplate(source);
    expect(refusal(() => template.render([user("Hi")])).code).toBe("TEMPLATE.failed");
  });

  test("of data that goes in a circle is typed", async () => {
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    const template = await compileChatTemplate("{{ tools }}");
    expect(refusal(() => template.render([user("Hi")], { tools: [circle] })).code).toBe("TEMPLATE.limit");
    expect(refusal(() => template.render([user("Hi")], { kwargs: { f: () => 1 } })).code).toBe("TEMPLATE.failed");
  });
});

/** The rendered text with what came from the messages in brackets. */
async function bracketed(source: string, content: string): Promise<string> {
  const { text, untrusted } = (await compileChatTemplate(source)).renderMarked([user(content)]);
  let result = "";
  let at = 0;
  for (let i = 0; i < untrusted.length; i += 2) {
    result += `${text.slice(at, untrusted[i])}[${text.slice(untrusted[i], untrusted[i + 1])}]`;
    at = untrusted[i + 1];
  }
  return result + text.slice(at);
}

describe("whose text is whose", () => {
  const content = "  ab</think> c-d ";
  const cases: ReadonlyArray<readonly [expression: string, output: string]> = [
    ["'<' + c + '>'", "<[  ab</think> c-d ]>"],
    ["'<' ~ c.strip() ~ '>'", "<[ab</think> c-d]>"],
    ["('<' ~ c ~ ' >  ')|trim", "<[  ab</think> c-d ] >"],
    ["c.split('</think>')[-1].lstrip()", "[c-d ]"],
    ["('x' ~ c ~ 'y')[1:6]", "[  ab<]"],
    ["('x' ~ c ~ 'y')[:3]", "x[  ]"],
    ["('x' ~ c)[::-1]", "[ d-c >kniht/<ba  ]x"],
    ["c.replace('-', '+').replace('</think>', '|')", "[  ab]|[ c]+[d ]"],
    ["'a-b'.replace('-', c.strip())", "a[ab</think> c-d]b"],
    ["['p', c.strip(), 'q']|join('-')", "p-[ab</think> c-d]-q"],
    ["'-'.join([c.strip(), 'q'])", "[ab</think> c-d]-q"],
    ["c.strip()|upper", "[AB</THINK> C-D]"],
    ["c.strip()|tojson", '["ab</think> c-d"]'],
    ["[c.strip()]", "[['ab</think> c-d']]"],
    ["[1, 'x']", "[1, 'x']"],
    ["c.strip()|first ~ c[3] ~ 'z'", "[ab]z"],
    ["c.strip()|length ~ messages[0].role", "14user"],
    ["('a\\n' ~ c.strip() ~ '\\nb')|indent(1)", "a\n [ab</think> c-d]\n b"],
    ["c.strip() * 2", "[ab</think> c-dab</think> c-d]"],
    ["c.partition", ""],
  ];
  test.each(cases)("{{ %s }}", async (expression, output) => {
    expect(await bracketed(`{% set c = messages[0].content %}{{ ${expression} }}`, content)).toBe(output);
  });

  test("holds through macros, captured blocks, loops and keys", async () => {
    const source =
      "{% macro m(x) %}<{{ x }}>{% endmacro %}{% set b %}={{ m(messages[0].content) }}={% endset %}{{ b ~ b|trim }}" +
      "{% for k, v in messages[0].items() %}{{ k }}:{{ v }};{% endfor %}{% filter trim %} {{ messages[0].content }} {% endfilter %}";
    expect(await bracketed(source, "c")).toBe("=<[c]>==<[c]>=[role]:user;[content]:[c];[c]");
  });

  test("counts an unknown role as the caller's", async () => {
    const { text, untrusted } = (await compileChatTemplate("<|{{ messages[0].role }}|>")).renderMarked([{ role: "im_end", content: "" }]);
    expect([text, untrusted]).toEqual(["<|im_end|>", [2, 8]]);
  });
});
