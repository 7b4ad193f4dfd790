// Chats to ids: plain conversations are encoded as their text is, hostile ones never hold a control token of the user's.
import { describe, expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import type { Rng } from "../base/rng.ts";
import { bpeControls, bpeVocabulary, spmVocabulary } from "../testing/vocabularies.ts";
import { encodeChat } from "./chat_prompt.ts";
import { compileChatTemplate } from "./chat_template.ts";
import type { ChatMessage } from "./chat_template.ts";
import { tokenizerFromGguf } from "./tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";

const chatml =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** What templates do with messages: trim, split at a tag, join two of them, repeat one, write JSON. */
const templates: readonly string[] = [
  chatml,
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}<|im_start|>",
  "{% for m in messages %}<|im_start|>{{ m.content.split('<|im_end|>')[-1].lstrip('\\n') }}<|im_end|>{% endfor %}",
  "{% set all = messages | map(attribute='content') | join('') %}<|im_start|>{{ all }}<|im_end|>{{ all[1:] ~ all[:1] }}",
  "<|im_start|>{{ messages[0].content.replace('x', '<|im_') }}<|im_end|>{{ (messages|last).content }}|>",
  "{% set t %}<|{{ messages[0].content }}|>{% endset %}{{ t }}<|im_end|>{{ messages | tojson }}<|eot_id|>",
  "{% for m in messages %}<|im_start|>{{ (m.content ~ '<|im_end|>') | indent(2) }}{% endfor %}",
];

const isControl = (tokenizer: Tokenizer, id: number): boolean => bpeControls.includes(tokenizer.tokenText(id));

/** Text made of control tokens, parts of them, and what could complete them. */
function hostileText(rng: Rng): string {
  const parts = [
    "<|im_end|>",
    "<|im_start|>",
    "<|",
    "|>",
    "im_end",
    "<",
    "|",
    ">",
    "<|im_",
    "end|>",
    "im_start",
    "x",
    " ",
    "\n",
    "hello",
    "\u00e9",
    "<|eot_id|>",
    "<|endoftext|>",
  ];
  return Array.from({ length: rng.below(12) }, () => parts[rng.below(parts.length)]).join("");
}

/** As long, and without any character that control tokens are made of. */
const harmless = (text: string): string => text.replaceAll(/[<|>_a-z]/g, "\u4e00");

describe("a chat", () => {
  test("is encoded as its text is", async () => {
    const tokenizer = await tokenizerFromGguf(bpeVocabulary());
    const template = await compileChatTemplate(chatml);
    const messages: ChatMessage[] = [
      { role: "system", content: "hello" },
      { role: "user", content: "hello world\n" },
    ];
    const { text, ids } = encodeChat(tokenizer, template, messages, { addGenerationPrompt: true });
    expect(text).toBe("<|im_start|>system\nhello<|im_end|>\n<|im_start|>user\nhello world\n<|im_end|>\n<|im_start|>assistant\n");
    expect(ids).toEqual(tokenizer.encodeWithSpecials(text));
    expect(ids.filter((id) => isControl(tokenizer, id))).toHaveLength(5);
  });

  test("joins parts of content by line breaks", async () => {
    const tokenizer = await tokenizerFromGguf(bpeVocabulary());
    const template = await compileChatTemplate(chatml);
    const content = [
      { type: "text", text: "a" },
      { type: "text", text: "b" },
    ] as const;
    expect(encodeChat(tokenizer, template, [{ role: "user", content }]).text).toBe("<|im_start|>user\na\nb<|im_end|>\n");
  });

  test("starts with one beginning-of-sequence token where the tokenizer wants one", async () => {
    const tokenizer = await tokenizerFromGguf(spmVocabulary());
    const user: ChatMessage[] = [{ role: "user", content: "hello" }];
    for (const source of ["{{ bos_token }}{{ messages[0].content }}", "{{ messages[0].content }}"]) {
      const { ids } = encodeChat(tokenizer, await compileChatTemplate(source), user);
      expect(ids.map((id) => tokenizer.tokenText(id))).toEqual(["<s>", "\u2581hello"]);
    }
    const typed = encodeChat(tokenizer, await compileChatTemplate("{{ messages[0].content }}"), [{ role: "user", content: "<s>" }]);
    expect(typed.ids.filter((id) => id === tokenizer.bosId)).toHaveLength(1);
  });

  test("joins a user's text with no control token of its own, whatever the template does with it", async () => {
    const tokenizer = await tokenizerFromGguf(bpeVocabulary());
    const rng = seededRng(131);
    for (const source of templates) {
      const template = await compileChatTemplate(source);
      for (let round = 0; round < 150; round++) {
        const contents = Array.from({ length: 1 + rng.below(3) }, () => hostileText(rng));
        const messages = contents.map((content): ChatMessage => ({ role: "user", content }));
        const { text, ids } = encodeChat(tokenizer, template, messages);
        const note = JSON.stringify({ source, contents, text });
        // Nothing is lost: the ids spell the text, control tokens included.
        expect(tokenizer.decode(ids), note).toBe(text);
        // Each control token that was counted lies in text that is the template's own.
        const { untrusted } = template.renderMarked(messages);
        let at = 0;
        for (const id of ids) {
          const length = isControl(tokenizer, id) ? tokenizer.tokenText(id).length : 0;
          if (length > 0) expect(touches(untrusted, at, at + length), note).toBe(false);
          at += unitsOf(tokenizer, id);
        }
      }
    }
  });

  test("has the control tokens that it has with harmless messages", async () => {
    const tokenizer = await tokenizerFromGguf(bpeVocabulary());
    const rng = seededRng(137);
    // Templates whose control tokens do not depend on what messages say.
    for (const source of [templates[0], templates[1], templates[3], templates[5]]) {
      const template = await compileChatTemplate(source);
      for (let round = 0; round < 150; round++) {
        const contents = Array.from({ length: 1 + rng.below(3) }, () => hostileText(rng));
        const controls = (texts: readonly string[]): number[] =>
          encodeChat(
            tokenizer,
            template,
            texts.map((content) => ({ role: "user", content })),
          ).ids.filter((id) => isControl(tokenizer, id));
        expect(controls(contents), JSON.stringify({ source, contents })).toEqual(controls(contents.map(harmless)));
      }
    }
  });

  test("encodes a text without look-alikes as the whole text is encoded", async () => {
    const tokenizer = await tokenizerFromGguf(bpeVocabulary());
    const rng = seededRng(139);
    for (const source of templates) {
      const template = await compileChatTemplate(source);
      for (let round = 0; round < 50; round++) {
        const content = Array.from({ length: rng.below(10) }, () => ["hello", " world", "\n", "x", " ", "l"][rng.below(6)]).join("");
        const { text, ids } = encodeChat(tokenizer, template, [{ role: "user", content }]);
        if (source !== templates[4]) expect(ids).toEqual(tokenizer.encodeWithSpecials(text));
      }
    }
  });
});

function touches(spans: readonly number[], start: number, end: number): boolean {
  for (let i = 0; i < spans.length; i += 2) if (spans[i] < end && spans[i + 1] > start) return true;
  return false;
}

/** UTF-16 code units of a token's text; the vocabulary here has each byte of \u00e9 and \u4e00 as a token. */
function unitsOf(tokenizer: Tokenizer, id: number): number {
  if (isControl(tokenizer, id)) return tokenizer.tokenText(id).length;
  let units = 0;
  for (const byte of tokenizer.tokenBytes(id)) if (byte < 0x80 || byte >= 0xc0) units++;
  return units;
}
