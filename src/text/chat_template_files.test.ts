// Fourteen real templates on fifteen conversations, against what Hugging Face's Python renders.
import { describe, expect, test } from "vitest";
import { sharedFileOrSkip } from "../testing/files.ts";
import { refusal } from "../testing/refusal.ts";
import { compileChatTemplate } from "./chat_template.ts";
import type { ChatMessage } from "./chat_template.ts";

const folder = "data/templates";
const names = [
  "HuggingFaceTB-SmolLM3-3B",
  "LFM2-8B-A1B",
  "Mistral-Small-3.2-24B-Instruct-2506",
  "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use",
  "Qwen-Qwen2.5-7B-Instruct",
  "Qwen-Qwen3-0.6B",
  "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
  "google-gemma-2-2b-it",
  "ibm-granite-granite-3.3-2B-Instruct",
  "meta-llama-Llama-3.1-8B-Instruct",
  "meta-llama-Llama-3.2-3B-Instruct",
  "microsoft-Phi-3.5-mini-instruct",
  "mistralai-Mistral-Nemo-Instruct-2407",
  "openai-gpt-oss-120b",
];

/** Outputs that the engine does not render equally, and why. There are none. */
const unequal: ReadonlyMap<string, string> = new Map();

interface Context extends Record<string, unknown> {
  readonly messages: ChatMessage[];
  readonly tools?: unknown[];
  readonly add_generation_prompt: boolean;
  readonly bos_token: string;
  readonly eos_token: string;
}

interface Expected {
  readonly output?: string;
  readonly error?: string;
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the shape of a file it knows
const parse = <T>(bytes: Uint8Array): T => JSON.parse(new TextDecoder().decode(bytes)) as T;

describe("the template of", () => {
  test.for(names)("%s", async (name, context) => {
    const conversations = parse<Record<string, Context>>(await sharedFileOrSkip(context, `${folder}/contexts.json`));
    const expected = parse<Record<string, Expected>>(await sharedFileOrSkip(context, `${folder}/${name}.expected.json`));
    const source = new TextDecoder().decode(await sharedFileOrSkip(context, `${folder}/${name}.jinja`));
    const template = await compileChatTemplate(source);
    expect(Object.keys(expected)).toHaveLength(15);
    for (const [conversation, { output, error }] of Object.entries(expected)) {
      if (unequal.has(`${name} ${conversation}`)) continue;
      const { messages, tools, add_generation_prompt, bos_token, eos_token, ...kwargs } = conversations[conversation];
      const options = {
        ...(tools === undefined ? {} : { tools }),
        addGenerationPrompt: add_generation_prompt,
        bosToken: bos_token,
        eosToken: eos_token,
        kwargs,
        now: new Date(2024, 6, 26),
      };
      if (error === undefined) expect(template.render(messages, options), conversation).toBe(output);
      else expect(refusal(() => template.render(messages, options)).code, conversation).toMatch(/^TEMPLATE\.(raised|failed)$/);
    }
  });
});
