// y[i] = x[i]: how fast this adapter moves memory, the measure of every bytes-over-time figure.
// x, y array<vec4<u32>>, UNITS of them. Grid: ceil(UNITS / EACH / WG) workgroups, folded at GRID_X; a thread copies EACH units.
// NEAR: whether a thread's units are neighbours (CPU drivers) or a workgroup's width apart (GPUs).
// Workgroup memory: none. Consts: WG, EACH, UNITS, GRID_X, NEAR. Parts: none.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let start = (wg.y * GRID_X + wg.x) * WG * EACH;
  let first = start + select(lane, lane * EACH, NEAR);
  let step = select(WG, 1u, NEAR);
  for (var i = 0u; i < EACH; i++) {
    let unit = first + i * step;
    if (unit < UNITS) {
      y[unit] = x[unit];
    }
  }
}
