// First bytes of what people pick by mistake.

const hints: ReadonlyArray<readonly [start: string, hint: string]> = [
  ["<", "it is a web page or XML"],
  ["PK", "it is a zip archive, such as a PyTorch checkpoint"],
  ["\x80", "it is a Python pickle"],
  ["{", "it is JSON"],
  ["GGUF", "it is a GGUF file"],
  ["lmgg", "it is a GGML file from before GGUF"],
  ["fmgg", "it is a GGML file from before GGUF"],
  ["tjgg", "it is a GGML file from before GGUF"],
  ["vers", "it is a Git LFS pointer, not the file itself"],
];

/** What a file that begins so is; undefined for what is not known. */
export function foreignFile(magic: Uint8Array): string | undefined {
  const found = String.fromCharCode(...magic.subarray(0, 4));
  return hints.find(([start]) => found.startsWith(start))?.[1];
}
