// The splits before byte-level BPE, by the name that GGUF files give them (`tokenizer.ggml.pre`). Each pattern cuts the pieces
// that the ones before it left (Hugging Face's Split, behaviour Isolated). Names and their grouping are llama.cpp's
// (src/llama-vocab.cpp); where llama.cpp approximates a pattern of the model's tokenizer.json, the original stands here.

export interface PreTokenizer {
  /** In Oniguruma's syntax. */
  readonly patterns: readonly string[];
  /** A piece that is a token as a whole is not merged. */
  readonly ignoreMerges: boolean;
  /** Whether a beginning-of-sequence token is wanted where the file does not say. */
  readonly addBos: boolean;
}

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
/** Line breaks, then trailing spaces, then other spaces. */
const spaces = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const symbols = " ?[^\\s\\p{L}\\p{N}]+";

const gpt2Open = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
const gpt2 = `${gpt2Open}|\\s+`;
const llama3 = `${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|${symbols}[\\r\\n]*|${spaces}`;
const qwen2 = `${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|${symbols}[\\r\\n]*|${spaces}`;
const qwen35 = `${contractions}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${spaces}`;

const upper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const lower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
const cased = (suffix: string): string =>
  `[^\\r\\n\\p{L}\\p{N}]?${upper}*${lower}+${suffix}|[^\\r\\n\\p{L}\\p{N}]?${upper}+${lower}*${suffix}`;
const tekken = `${cased("")}|\\p{N}|${symbols}[\\r\\n/]*|${spaces}`;
const gpt4o = `${cased(`${contractions}?`)}|\\p{N}{1,3}|${symbols}[\\r\\n/]*|${spaces}`;

/** The letters with case of Unicode, as DeepSeek lists them. */
const deepseekLetters = [
  "A-Za-z\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{1BA}\\x{1BC}-\\x{1BF}\\x{1C4}-\\x{293}\\x{295}-\\x{2AF}",
  "\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37B}-\\x{37D}\\x{37F}\\x{386}\\x{388}-\\x{38A}\\x{38C}\\x{38E}-\\x{3A1}\\x{3A3}-\\x{3F5}",
  "\\x{3F7}-\\x{481}\\x{48A}-\\x{52F}\\x{531}-\\x{556}\\x{10A0}-\\x{10C5}\\x{13A0}-\\x{13F5}\\x{13F8}-\\x{13FD}",
  "\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}\\x{1D00}-\\x{1D2B}\\x{1D6B}-\\x{1D77}\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}",
  "\\x{1F18}-\\x{1F1D}\\x{1F20}-\\x{1F45}\\x{1F48}-\\x{1F4D}\\x{1F50}-\\x{1F57}\\x{1F59}\\x{1F5B}\\x{1F5D}\\x{1F5F}-\\x{1F7D}",
  "\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}\\x{1FC2}-\\x{1FC4}\\x{1FC6}-\\x{1FCC}\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}",
  "\\x{1FE0}-\\x{1FEC}\\x{1FF2}-\\x{1FF4}\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}\\x{210A}-\\x{2113}\\x{2115}\\x{2119}-\\x{211D}",
  "\\x{2124}\\x{2126}\\x{2128}\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}\\x{2139}\\x{213C}-\\x{213F}\\x{2145}-\\x{2149}\\x{214E}",
  "\\x{2183}\\x{2184}\\x{2C00}-\\x{2C7B}\\x{2C7E}-\\x{2CE4}\\x{2CEB}-\\x{2CEE}\\x{2CF2}\\x{2CF3}\\x{A640}-\\x{A66D}",
  "\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}\\x{A771}-\\x{A787}\\x{A78B}-\\x{A78E}\\x{AB70}-\\x{ABBF}\\x{FB00}-\\x{FB06}",
  "\\x{FB13}-\\x{FB17}\\x{FF21}-\\x{FF3A}\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}\\x{104B0}-\\x{104D3}\\x{104D8}-\\x{104FB}",
  "\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}\\x{118A0}-\\x{118DF}\\x{1E900}-\\x{1E943}",
].join("");
const deepseekHan = "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+";
const deepseekPunctuation = "!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{3000}-\\x{3002}";
const deepseekV3 = [
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+",
  ` ?[\\p{P}\\p{S}]+[\\r\\n]*|${spaces}`,
].join("|");
/** `\s+$` as the file has it takes quadratic time; it can only match from the start of its spaces. */
const spacesAtEnd = "(?<!\\s)\\s+$";
const bloom = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+";

interface Row {
  readonly names: readonly string[];
  readonly patterns: readonly string[];
  readonly ignoreMerges?: boolean;
  readonly addBos?: boolean;
}

const rows: readonly Row[] = [
  { names: ["default"], patterns: ["[\\p{P}\\$\\+<=>\\^~\\|]+", gpt2Open, "\\p{N}+", "[0-9][0-9][0-9]"] },
  {
    names: ["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
    patterns: [llama3],
    ignoreMerges: true,
    addBos: true,
  },
  { names: ["dbrx", "smaug-bpe", "chatglm-bpe", "glm4"], patterns: [llama3] },
  {
    names: ["deepseek-llm"],
    patterns: ["[\\r\\n]", `\\s?[${deepseekLetters}]+`, `\\s?[${deepseekPunctuation}]+`, spacesAtEnd, deepseekHan, "\\p{N}+"],
  },
  { names: ["deepseek-coder"], patterns: ["[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", deepseekHan, "\\p{N}"] },
  {
    names: ["deepseek-v3", "hunyuan-dense", "joyai-llm"],
    patterns: ["\\p{N}{1,3}", "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+", deepseekV3],
  },
  { names: ["falcon"], patterns: ["[\\p{P}\\$\\+<=>\\^~\\|`]+", gpt2Open, "[0-9][0-9][0-9]"] },
  { names: ["starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b"], patterns: ["\\p{N}", gpt2Open] },
  {
    names: ["gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "gigachat", "a.x-4.0", "mellum", "exaone4"],
    patterns: [gpt2],
  },
  { names: ["qwen2", "deepseek-r1-qwen", "kormo", "stablelm2", "megrez", "hunyuan", "grok-2", "solar-open"], patterns: [qwen2] },
  { names: ["qwen35"], patterns: [qwen35] },
  { names: ["poro-chat", "bloom", "gpt3-finnish"], patterns: [bloom] },
  { names: ["viking"], patterns: [bloom, "\\p{N}"] },
  { names: ["tekken"], patterns: [tekken], ignoreMerges: true, addBos: true },
  { names: ["gpt-4o", "llama4", "kanana2", "minimax-m2"], patterns: [gpt4o] },
  {
    names: ["bailingmoe", "bailingmoe2", "llada-moe"],
    patterns: ["'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"],
  },
  {
    names: ["seed-coder"],
    patterns: [`${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|${spaces}`],
  },
];

/** @returns the splits of that name, or undefined: there is no default for an unknown one */
export function findPreTokenizer(name: string): PreTokenizer | undefined {
  const row = rows.find(({ names }) => names.includes(name));
  return row && { patterns: row.patterns, ignoreMerges: row.ignoreMerges ?? false, addBos: row.addBos ?? false };
}

/** Every name that `findPreTokenizer` knows. */
export function preTokenizerNames(): string[] {
  return rows.flatMap(({ names }) => names);
}

/** Patterns of public tokenizer.json files beside those of the table. */
const otherKnownPatterns: readonly string[] = [
  "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
  " {2,}",
  "\\s+",
];

/**
 * What to run for a pattern of a tokenizer.json: the pattern itself when it is known, or an equal one that takes linear time.
 *
 * @returns undefined for any other: a pattern of 29 characters can take exponential time
 */
export function runnablePattern(pattern: string): string | undefined {
  const canonical = canonicalPattern(pattern);
  if (canonical === "\\s+$") return spacesAtEnd;
  const known =
    otherKnownPatterns.includes(canonical) || rows.some((row) => row.patterns.some((own) => canonicalPattern(own) === canonical));
  return known ? pattern : undefined;
}

/** One spelling for what files write as a character or as an escape. */
function canonicalPattern(pattern: string): string {
  return pattern
    .replaceAll("\r", "\\r")
    .replaceAll("\n", "\\n")
    .replaceAll(/\\x\{([0-9A-F]+)\}/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)));
}
