// y[t] = w[token(t) - ROW_START]: rows of the token embedding. Rows whose token is not in [ROW_START, ROW_START + ROW_COUNT)
// stay as they are: another part of a split table writes them.
// w [ROW_COUNT, 32 * BLOCKS], y [rows, 8 * BLOCKS] in vec4; padding weights are zero, so y's padding is.
// Grid: (ceil(BLOCKS / WG), rows), one thread per block of 32. Workgroup memory: none.
// Consts: WG, BLOCKS, ROW_START, ROW_COUNT, Y_F16 (act_t is f16). Parts: weight.

fn stored(values: vec4<f32>) -> vec4<act_t> {
  if (Y_F16) {
    return vec4<act_t>(vec4<f32>(within_f16(values.x), within_f16(values.y), within_f16(values.z), within_f16(values.w)));
  }
  return vec4<act_t>(values);
}

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let block = id.x;
  let t = id.y;
  if (t >= step.rows || block >= BLOCKS) {
    return;
  }
  // Wraps to a large number when the token comes before this part.
  let row = step.row[t].token - ROW_START;
  if (row >= ROW_COUNT) {
    return;
  }
  let values = decode32(row, block);
  let at = (t * BLOCKS + block) * 8u;
  y[at] = stored(values.v0);
  y[at + 1u] = stored(values.v1);
  y[at + 2u] = stored(values.v2);
  y[at + 3u] = stored(values.v3);
  y[at + 4u] = stored(values.v4);
  y[at + 5u] = stored(values.v5);
  y[at + 6u] = stored(values.v6);
  y[at + 7u] = stored(values.v7);
}
