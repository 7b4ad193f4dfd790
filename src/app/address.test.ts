import { expect, test } from "vitest";
import { plainAddress, readAddress } from "./address.ts";

const base = "http://localhost:4173/folder/";

test.each([
  ["https://host.example/a/b%20c.gguf?x=1", "https://host.example/a/b%20c.gguf?x=1", "b c.gguf"],
  ["  models/tiny.gguf ", "http://localhost:4173/folder/models/tiny.gguf", "tiny.gguf"],
  ["http://127.0.0.1:9000/m.gguf", "http://127.0.0.1:9000/m.gguf", "m.gguf"],
  ["hf:owner/repository/sub/file.gguf@main", "hf:owner/repository/sub/file.gguf@main", "file.gguf"],
  ["https://huggingface.co/o/r/blob/main/f.gguf", "https://huggingface.co/o/r/resolve/main/f.gguf", "f.gguf"],
  ["hf:owner/repository@v1", "hf:owner/repository@v1", "repository"],
  ["https://huggingface.co/o/r", "hf:o/r", "r"],
  ["https://huggingface.co/o/r/tree/v1/", "hf:o/r@v1", "r"],
  ["https://host.example/o/r", "https://host.example/o/r", "r"],
  ["https://host.example/%", "https://host.example/%", "%"],
])("%s is read", (typed, address, name) => expect(readAddress(typed, base)).toEqual({ ok: true, address, name }));

test.each([
  ["", "Type an address"],
  ["https://", "not an address"],
  ["javascript:alert(1)", "javascript:"],
  ["file:///etc/passwd", "file:"],
  ["http://host.example/m.gguf", "https"],
])("%s is refused with a reason", (typed, reason) => {
  const result = readAddress(typed, base);
  expect(result.ok ? "" : result.problem).toContain(reason);
});

test.each([
  ["hf:o/r/sub/f.gguf", "https://huggingface.co/o/r/resolve/main/sub/f.gguf"],
  ["hf:o/r/f.gguf@v1", "https://huggingface.co/o/r/resolve/v1/f.gguf"],
  ["https://user:word@host.example/m.gguf?signature=1#part", "https://host.example/m.gguf"],
  ["hf:o/r@v1", "https://huggingface.co/o/r/resolve/v1/config.json"],
  ["stored:0123", "stored:0123"],
  ["no address", "no address"],
])("%s is stored as %s", (location, address) => expect(plainAddress(location)).toBe(address));
