// Adds up the sums of a tile's slices: afterwards lanes of the first slice have them all. One slice after the other, so the order is fixed.
// Workgroup memory: TILE_N * TILE_T f32, a barrier for each slice.
// Consts: TILE_N, TILE_T, LANE_N, LANE_T, SLICES, SLICE (lanes of one).

var<workgroup> slices_sums: array<f32, TILE_N * TILE_T>;

fn add_slices(acc: ptr<function, array<f32, LANE_N * LANE_T>>, lane: u32) {
  for (var slice = SLICES - 1u; slice > 0u; slice--) {
    if (lane / SLICE == slice) {
      for (var i = 0u; i < upto(LANE_N * LANE_T); i++) {
        slices_sums[i * SLICE + lane % SLICE] += (*acc)[i];
      }
    }
    workgroupBarrier();
  }
  if (lane < SLICE) {
    for (var i = 0u; i < upto(LANE_N * LANE_T); i++) {
      (*acc)[i] += slices_sums[i * SLICE + lane];
    }
  }
}
