// Whole numbers of 64 bits as (low, high) words.
// Consts: none.

fn wide_add(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let low = a.x + b.x;
  return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

/// a - b for a >= b.
fn wide_sub(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  return vec2<u32>(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}

fn wide_less(a: vec2<u32>, b: vec2<u32>) -> bool {
  return (a.y < b.y) | ((a.y == b.y) & (a.x < b.x));
}

fn wide_mul(a: u32, b: u32) -> vec2<u32> {
  let low = (a & 0xffff) * (b & 0xffff);
  let mid = (a >> 16) * (b & 0xffff) + (low >> 16);
  let cross = (a & 0xffff) * (b >> 16) + (mid & 0xffff);
  return vec2<u32>((cross << 16) | (low & 0xffff), (a >> 16) * (b >> 16) + (mid >> 16) + (cross >> 16));
}

/// a / 2^bits rounded down, for bits below 32.
fn wide_shift(a: vec2<u32>, bits: u32) -> vec2<u32> {
  return vec2<u32>((a.x >> bits) | select(0u, a.y << ((32 - bits) & 31), bits > 0), a.y >> bits);
}

/// whole * part / 2^24 rounded down, for whole below 2^56 and part up to 2^24.
fn wide_share(whole: vec2<u32>, part: u32) -> vec2<u32> {
  let low = wide_mul(whole.x & 0xffffff, part);
  return wide_add(wide_mul(wide_shift(whole, 24).x, part), wide_shift(low, 24));
}

/// mass * weight / 2^20 rounded down.
fn wide_scaled(mass: u32, weight: u32) -> vec2<u32> {
  return wide_shift(wide_mul(mass, weight), 20);
}
