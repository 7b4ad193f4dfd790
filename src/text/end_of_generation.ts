// Which tokens end an answer. A model has a set of them, not one: base models end by eos, chat models by an end-of-turn token,
// tool calls by a third, and files name only some of them. The texts are those that llama.cpp knows (src/llama-vocab.cpp).

const endTexts: ReadonlySet<string> = new Set([
  "<|eot_id|>",
  "<|im_end|>",
  "<|end|>",
  "<|return|>",
  "<|call|>",
  "<|flush|>",
  "<|calls|>",
  "<end_of_turn>",
  "<|endoftext|>",
  "</s>",
  "<|eom_id|>",
  "<EOT>",
  "_<EOT>",
  "[EOT]",
  "[EOS]",
  "<|end_of_text|>",
  "<end_of_utterance>",
  "<eos>",
  "<turn|>",
  "<|tool_response>",
  "<\uff5cend\u2581of\u2581sentence\uff5c>",
  "[e~[",
]);

/**
 * @param tokens id and text of every token that is no ordinary piece of text
 * @param named ids that the file itself calls an end (eos, eot, eom, and the file separators of code models)
 */
export function endOfGenerationSet(tokens: Iterable<readonly [number, string]>, named: Iterable<number | undefined>): Set<number> {
  const ends = new Set<number>();
  const byText = new Map<string, number>();
  for (const [id, text] of tokens) {
    if (!endTexts.has(text)) continue;
    ends.add(id);
    byText.set(text, id);
  }
  const has = (text: string): boolean => byText.has(text);
  // Where <|return|> and <|call|> end the answer, <|end|> only ends one of its messages.
  const harmony = has("<|return|>") && has("<|call|>");
  const solar = has("<|flush|>") && (has("<|calls|>") || has("<|call|>"));
  if (harmony || solar) remove(ends, byText.get("<|end|>"));
  // Such vocabularies keep </s> for the strike-through tag of HTML.
  if (has("<|tool_response>")) remove(ends, byText.get("</s>"));
  for (const id of named) if (id !== undefined) ends.add(id);
  return ends;
}

/** Whether a token of this text is an end of generation wherever it is no learned piece of text. */
export function isEndText(text: string): boolean {
  return endTexts.has(text);
}

function remove(ends: Set<number>, id: number | undefined): void {
  if (id !== undefined) ends.delete(id);
}
