// Takes comments, blank lines and spaces that separate nothing out of a shader. WGSL has no strings, so `//` and `/*` always open a comment;
// block comments nest.

/** Spaces that a token ends without: beside brackets and separators, and between an operator and what is none. */
const idle = / +(?=[()[\]{},;:])|(?<=[()[\]{},;:]) +|(?<=[\w.]) +(?=[-+*/%=<>|&^!])|(?<=[-+*/%=<>|&^!]) +(?=[\w.])/g;

/**
 * @param text a .wgsl file
 * @returns the same program, one line per line that still holds code
 */
export function stripWgsl(text) {
  let depth = 0;
  let code = "";
  for (const token of text.match(/\/\*|\*\/|\/\/[^\n]*|[\s\S]/g) ?? []) {
    if (depth === 0 && token.startsWith("//")) continue;
    if (token === "/*") depth += 1;
    else if (token === "*/" && depth > 0) {
      depth -= 1;
      if (depth === 0) code += " ";
    } else if (depth === 0) code += token;
    else if (token === "\n") code += "\n";
    else if (token.startsWith("//") && token.includes("*/")) throw new Error("a `//` inside a block comment hides its end");
  }
  const lines = code.split("\n").map((line) => line.trim().replaceAll(idle, ""));
  return lines.filter((line) => line !== "").join("\n");
}
