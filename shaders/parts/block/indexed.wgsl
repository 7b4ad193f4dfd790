// 32 activations by a loop: for software drivers, which take long to compile each load of a vec4.
// x_fours(row, block): what an x_block is that x_four makes. Parts: block32, loop, one of dot with x_four.

fn x_fours(row: u32, block: u32) -> Block32 {
  var fours = array<vec4<f32>, 8>();
  for (var i = 0u; i < upto(8u); i++) {
    fours[i] = x_four(row, block * 8u + i);
  }
  return Block32(fours[0], fours[1], fours[2], fours[3], fours[4], fours[5], fours[6], fours[7]);
}
