// Where attention_decode has its queries from: stacked projections qkv [rows, QKV_STRIDE] in vec4, whose heads are normalised and
// turned here. The newest key and value are made here, too, by every workgroup whose range holds them (`newest`), and stay in its
// memory: the pages are written by one workgroup for each row and kv head and read for older keys only.
// take_heads(row, kv_head, first_head, newest, lane) fills `queries`, fresh_key and fresh_value; a barrier is to follow.
// Workgroup memory: 8 D4 numbers as in pages, WG + SET_HEADS + 1 words. Needs qkv, kv, queries.
// Consts: WG, GROUP, SET_HEADS, QKV_STRIDE, KEY_START, VALUE_START. Parts: head, head_norm, turn, kv, kv_number, loop.

/// Newest keys that are not read from the pages.
const FRESH_KEYS = 1u;
/// Lanes that sum the squares of one head; the set's heads come first, then the key.
const NEWEST_TEAM = WG / (SET_HEADS + 1u);

/// As pages hold them: in registers, drivers leave out the rounding.
var<workgroup> newest_key: array<kv_four, D4>;
var<workgroup> newest_value: array<kv_four, D4>;
var<workgroup> newest_squares: array<f32, WG>;
var<workgroup> newest_scales: array<f32, SET_HEADS + 1u>;

fn take_heads(row: u32, kv_head: u32, first_head: u32, newest: bool, lane: u32) {
  let stack = row * QKV_STRIDE;
  let queries_at = stack + kv_head * GROUP * D4;
  let key_at = stack + KEY_START + kv_head * D4;
  if (HEAD_NORMED) {
    let h = lane / NEWEST_TEAM;
    var squares = 0.0;
    if (h <= SET_HEADS) {
      let base = select(queries_at + min(first_head + h, GROUP - 1) * D4, key_at, h == SET_HEADS);
      for (var i = lane % NEWEST_TEAM; i < upto(D4); i += NEWEST_TEAM) {
        let x = vec4<f32>(qkv[base + i]);
        squares += dot(x, x);
      }
    }
    newest_squares[lane] = squares;
    workgroupBarrier();
    if (lane <= SET_HEADS) {
      var total = 0.0;
      for (var i = 0u; i < upto(NEWEST_TEAM); i++) {
        total += newest_squares[lane * NEWEST_TEAM + i];
      }
      newest_scales[lane] = head_scale(lane == SET_HEADS, total);
    }
    workgroupBarrier();
  }
  let position = step.row[row].position;
  for (var i = lane; i < upto(SET_HEADS * D4); i += WG) {
    let h = i / D4;
    let base = queries_at + min(first_head + h, GROUP - 1) * D4;
    queries[i % D4 * SET_HEADS + h] = head_four(base, i % D4, false, newest_scales[h], position);
  }
  if (!newest) {
    return;
  }
  let to = kv_index(step.row[row].slot, position, kv_head);
  for (var i = lane; i < upto(D4); i += WG) {
    // Rounded as the pages round, so that later tokens read what this one saw.
    let key = kv_pack(head_four(key_at, i, true, newest_scales[SET_HEADS], position));
    let value = kv_pack(vec4<f32>(qkv[stack + VALUE_START + kv_head * D4 + i]));
    newest_key[i] = key;
    newest_value[i] = value;
    // The group's last set writes: on drivers that take workgroups in order, who read the pages too early would see old ones.
    if (first_head + SET_HEADS >= GROUP) {
      kv[to + i] = key;
      kv[to + kv_values() + i] = value;
    }
  }
}

fn fresh_key(i: u32) -> vec4<f32> {
  return kv_unpack(newest_key[i]);
}

fn fresh_value(i: u32) -> vec4<f32> {
  return kv_unpack(newest_value[i]);
}
