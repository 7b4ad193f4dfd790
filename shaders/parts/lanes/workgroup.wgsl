// Sums over the lanes of a matrix-vector product by workgroup memory alone: right at any subgroup size.
// keep(group, place, index, value): a lane's share of sum `index` (0 to SUMS - 1) of its row; after one barrier,
// total(group, index, row): that sum over the lanes of a row.
// Workgroup memory: 4 * WG * SUMS bytes. Lanes touch neighbouring words, writing and reading.
// Consts: WG, ROWS, SUMS. Group and Place: what the entry point is told, uniform and not.

struct Group {
  @builtin(workgroup_id) id: vec3<u32>,
}

struct Place {
  @builtin(local_invocation_index) lane: u32,
}

var<workgroup> lane_sums: array<f32, WG * SUMS>;

fn keep(group: Group, place: Place, index: u32, value: f32) {
  lane_sums[index * WG + place.lane] = value;
}

fn total(group: Group, index: u32, row: u32) -> f32 {
  var sum = 0.0;
  for (var at = row; at < WG; at += ROWS) {
    sum += lane_sums[index * WG + at];
  }
  return sum;
}
