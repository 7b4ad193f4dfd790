// Pages that are read with what kv_repair found of what quantizing lost: a matrix of rank 2, two f16 for each token, then two for each
// dimension, a word each, from `base` on. Needs kv (array of u32). Consts: PAGE_TOKENS.
// Paper: GEAR, arXiv:2403.05527.

/// The factors of four dimensions.
struct Repair {
  first: vec4<f32>,
  second: vec4<f32>,
}

fn repair_of(base: u32, i: u32) -> Repair {
  let word = base + PAGE_TOKENS + 4 * i;
  let a = unpack2x16float(kv[word]);
  let b = unpack2x16float(kv[word + 1]);
  let c = unpack2x16float(kv[word + 2]);
  let d = unpack2x16float(kv[word + 3]);
  return Repair(vec4<f32>(a.x, b.x, c.x, d.x), vec4<f32>(a.y, b.y, c.y, d.y));
}

/// Four of a token, given those that its codes stand for.
fn repaired(four: vec4<f32>, repair: Repair, base: u32, token: u32) -> vec4<f32> {
  let factors = unpack2x16float(kv[base + token]);
  return four + factors.x * repair.first + factors.y * repair.second;
}
