// Hostile templates: each ends soon, with a typed error or with output, and leaves the next one unharmed.
import { describe, expect, test } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { seededRng } from "../base/rng.ts";
import { refusal } from "../testing/refusal.ts";
import { errorCode } from "../testing/typed_error.ts";
import { compileChatTemplate } from "./chat_template.ts";

const messages = [{ role: "user", content: "hi" }];
const times = (text: string, count: number): string => text.repeat(count);
const growing = (start: string, step: string): string =>
  `{% set ns = namespace(s=${start}) %}{% for i in range(100) %}{% set ns.s = ${step} %}{% endfor %}`;
const overAndOver = (make: string, use: string): string =>
  `{% set s = ${make} %}{% for i in range(100000) %}{% set x = ${use} %}{% endfor %}`;

/** Milliseconds of the process until `run` settled. */
async function cpuOf(run: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const running: ReadonlyArray<readonly [name: string, source: string]> = [
  ["a huge range", "{% for i in range(10**9) %}x{% endfor %}"],
  ["a huge range made a list", "{{ range(10**7)|list|length }}"],
  ["nested ranges", "{% for i in range(999) %}{% for j in range(999) %}{% for k in range(999) %}{% endfor %}{% endfor %}{% endfor %}"],
  ["ranges never used", "{% for i in range(99999) %}{% set x = range(99999) %}{% endfor %}"],
  ["a text doubled by ~", growing("'aaaaaaaa'", "ns.s ~ ns.s")],
  ["a text doubled by + and read", `${growing("'aaaaaaaa'", "ns.s + ns.s")}{{ ns.s|length }}`],
  ["a list doubled", growing("[1]", "ns.s + ns.s")],
  ["a list in a list, written", `${growing("[1]", "[ns.s, ns.s]")}{{ ns.s|tojson }}`],
  ["a list in a list, compared", `${growing("[1]", "[ns.s, ns.s]")}{% set a = ns.s %}${growing("[1]", "[ns.s, ns.s]")}{{ a == ns.s }}`],
  ["a list in a list, sorted", `${growing("[1]", "[ns.s, ns.s]")}{{ [ns.s, ns.s]|sort }}`],
  ["a macro that calls itself", "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}"],
  ["a macro that calls itself twice", "{% macro f(n) %}{% if n > 0 %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}"],
  ["two macros that call each other", "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}"],
  ["a macro by its caller", "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}"],
  ["a text repeated", "{{ 'a' * 10**9 }}"],
  ["a list repeated", "{{ [1] * 10**9 }}"],
  ["each letter replaced by a text", "{% set s = 'a' * 10**6 %}{{ s.replace('a', s) }}"],
  ["many replacements", overAndOver("'a' * 10**5", "s.replace('a', 'bb')")],
  ["a long separator", "{{ range(1000)|join('a' * 10**6) }}"],
  ["a deep indent", "{{ ('\\n' * 10**6)|indent(1000, true, true) }}"],
  ["many parts", overAndOver("'a ' * 10**6", "s.split(' ')")],
  ["many lines", overAndOver("'a\\n' * 10**6", "s.splitlines()")],
  ["many characters", overAndOver("'a' * 10**6", "s|list")],
  ["many long texts", overAndOver("'a' * 10**7", "s|upper")],
  ["many words", overAndOver("'a-' * 10**6", "s|title")],
  ["words counted", overAndOver("'a ' * 10**6", "s|wordcount")],
  ["strides", overAndOver("'a' * 10**6", "s[::2]")],
  ["comparisons", overAndOver("'a' * 10**6", "s.startswith(s)")],
  ["searches", overAndOver("'a' * 10**6", "'b' in s")],
  ["strips", overAndOver("' ' * 10**6", "s.strip()")],
  ["letters by number", overAndOver("'a' * 10**6", "s[500000]")],
  ["sorts", overAndOver("range(9999)", "s|sort")],
  ["uniques", "{{ range(99999)|unique|length }}"],
  ["undefined names", "{% for i in range(999999) %}{{ u }}{% endfor %}"],
  ["output", overAndOver("'a' * 10**7", "1") + "{% for i in range(1000) %}{{ s }}{% endfor %}"],
  ["dates", "{{ strftime_now('%Y' * 10**6) }}"],
  ["a namespace in itself, written", "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x }}{{ ns.x|tojson }}"],
  ["a JSON indent", "{{ [[1]]|tojson(indent=10**9) }}"],
];

describe("running", () => {
  test.each(running)("%s ends within 250 ms", async (_, source) => {
    const template = await compileChatTemplate(source);
    // The first run of a kind includes the engine's compiling of our code.
    refusal(() => template.render(messages));
    const ms = await cpuOf(async () => {
      expect(["TEMPLATE.limit", "TEMPLATE.failed"]).toContain(refusal(() => template.render(messages)).code);
    });
    expect(ms).toBeLessThan(250);
  });

  test("names the limit", async () => {
    const template = await compileChatTemplate("{% for i in range(10**9) %}{% endfor %}");
    expect(refusal(() => template.render(messages)).detail).toEqual({ what: "steps", limit: 1_002_006 });
  });

  test("allows long conversations what it does not allow templates", async () => {
    const source = "{% for m in messages %}{% for w in m.content.split(' ') %}{{ w|trim ~ ' ' if w != 'x' }}{% endfor %}{% endfor %}";
    const template = await compileChatTemplate(source);
    const long = Array.from({ length: 3000 }, () => ({ role: "user", content: "word ".repeat(50) }));
    expect(template.render(long)).toHaveLength(3000 * 251);
    const huge = [{ role: "user", content: "a".repeat(10_000_000) }];
    const chat = await compileChatTemplate(
      "{% for m in messages %}{{ '<|im_start|>' + m.role + m.content.strip() + '<|im_end|>' }}{% endfor %}",
    );
    expect(chat.render(huge)).toHaveLength(10_000_000 + 26);
  });
});

const compiling: ReadonlyArray<readonly [name: string, source: string]> = [
  ["too long a source", times("a", (1 << 20) + 1)],
  ["deep brackets", `{{ ${times("(", 50_000)}1${times(")", 50_000)} }}`],
  ["deep lists", `{{ ${times("[", 100_000)} }}`],
  ["deep blocks", times("{% if 1 %}", 10_000) + times("{% endif %}", 10_000)],
  ["many nots", `{{ ${times("not ", 30_000)}1 }}`],
  ["many tags", times("{{1}}", 200_000)],
  ["a long tag", `{{ 1${times("+1", 400_000)} }}`],
  ["white space in a row", times(" ", 1 << 20)],
  ["white space in many rows", times(`${times(" ", 5000)}x`, 200)],
  ["opened tags", times("{% if ", 100_000)],
  ["opened expressions", times("{{", 100_000)],
  ["an open text", `{{ '${times("a", 100_000)}`],
  ["an open comment", `{#${times("#", 1_000_000)}`],
  ["unfinished blocks", times("{% if 1 %}", 3000)],
];

describe("compiling", () => {
  test.each(compiling)("%s ends soon", async (_, source) => {
    const ms = await cpuOf(async () => {
      expect(["TEMPLATE.limit", "TEMPLATE.syntax"]).toContain(await errorCode(compileChatTemplate(source)));
    });
    expect(ms).toBeLessThan(1500);
  });

  test("a million braces of plain text is no error and takes no time", async () => {
    const source = times("{ ", 1 << 19);
    const ms = await cpuOf(async () => {
      const template = await compileChatTemplate(source);
      expect(template.render(messages)).toBe(source);
    });
    expect(ms).toBeLessThan(1500);
  });

  test("a long chain of elif compiles and runs", async () => {
    const template = await compileChatTemplate(`{% if 0 %}${times("{% elif 0 %}", 500)}{% else %}end{% endif %}`);
    expect(template.render(messages)).toBe("end");
  });
});

describe("random templates", () => {
  const tokens =
    "{{ }} {% %} {%- -%} if elif else endif for in endfor set endset macro endmacro call endcall filter endfilter x y messages loop range ( ) [ ] { } , : . | ~ + - * / ** == != < > and or not is defined none true 'a' \"b\" 1 2.5 0 length join tojson upper namespace ns.x = content role split strip \n".split(
      " ",
    );

  test("of known words end with output or a typed error", async () => {
    const rng = seededRng(97);
    let rendered = 0;
    for (let round = 0; round < 3000; round++) {
      const source = Array.from({ length: 1 + rng.below(25) }, () => tokens[rng.below(tokens.length)]).join(" ");
      try {
        const template = await compileChatTemplate(`{{ 1 }}${source}`);
        expect(typeof template.render(messages)).toBe("string");
        rendered++;
      } catch (error) {
        if (!(error instanceof ShaderloomError)) throw new Error(source, { cause: error });
        expect(error.code, source).toMatch(/^TEMPLATE\.(syntax|limit|failed|raised)$/);
      }
    }
    expect(rendered).toBeGreaterThan(50);
  });
});
