// Where attention_decode has its queries from: they are ready, q [rows, STRIDE] in vec4, and every key is in the pages.
// take_heads(row, kv_head, first_head, newest, lane) fills `queries` for the heads of the set, a barrier is to follow.
// Needs q, queries. Consts: WG, D4, GROUP, SET_HEADS, STRIDE.

/// Newest keys that are not read from the pages.
const FRESH_KEYS = 0u;

fn take_heads(row: u32, kv_head: u32, first_head: u32, newest: bool, lane: u32) {
  for (var i = lane; i < SET_HEADS * D4; i += WG) {
    let h = i / D4;
    let head = kv_head * GROUP + min(first_head + h, GROUP - 1);
    queries[i % D4 * SET_HEADS + h] = vec4<f32>(q[row * STRIDE + head * D4 + i % D4]);
  }
}

fn fresh_key(i: u32) -> vec4<f32> {
  return vec4<f32>();
}

fn fresh_value(i: u32) -> vec4<f32> {
  return vec4<f32>();
}
