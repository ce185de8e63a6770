// What both boxes have in common: a shell that is open at the back, and a back plate. Millimetres.
//
// z = 0 is the back, z = depth the front; x and y as on a Pi that is seen from the front. Shell and back are screwed together
// from the front: four M3 x 12 in deep holes at the corners, with nuts in the back plate. Nothing opens without a tool.
include <boards.scad>

wall = 2.4;          // side walls
back_wall = 4;       // back plate, with the nuts in it
standoff = 5;        // from the back plate to the Pi
post = 10;           // corner posts: diameter
post_out = 2.6;      // their centre is so far outside the inner corner, in x and in y
screw = 3.4;         // M3, loose
head = 6.4;          // M3 head
seat = 12;           // z of the face that the head presses on
nut = 6.4;           // M3 nut, across its corners, loose
nut_depth = 2.6;
pilot_m25 = 2.1;     // hole for an M2.5 screw that cuts its own thread
pilot_m2 = 1.6;
led = 5.2;           // a LED of 5 mm
slack = 0.3;         // between parts that go into each other

function corners(inner) = [for (x = [-post_out, inner.x + post_out], y = [-post_out, inner.y + post_out]) [x, y]];

module box_outline(inner) {
    union() {
        offset(wall, $fn = 32) square(inner);
        for (at = corners(inner)) translate(at) circle(d = post, $fn = 40);
    }
}

// The shell without openings: the front plate is front thick.
module shell_body(inner, depth, front) {
    difference() {
        translate([0, 0, back_wall]) linear_extrude(depth - back_wall, convexity = 8) box_outline(inner);
        translate([0, 0, back_wall - 1]) linear_extrude(depth - back_wall - front + 1, convexity = 8) square(inner);
        for (at = corners(inner)) translate(at) {
            translate([0, 0, back_wall - 1]) cylinder(d = screw, h = depth, $fn = 24);
            translate([0, 0, seat]) cylinder(d = head, h = depth, $fn = 32);
        }
    }
}

// The ports of a Pi whose corner is at pi_at, as openings of the lower and the right wall, and the air slots.
module port_openings(board, pi_at, inner) {
    z = back_wall + standoff + pi_thickness - 1;
    for (port = pi_low_ports(board))
        translate([pi_at.x + port[0] - port[1] / 2, -wall - 1, z]) cube([port[1], wall + 2, port[2]]);
    for (port = pi_right_ports(board))
        translate([inner.x - 1, pi_at.y + port[0] - port[1] / 2, z]) cube([wall + 2, port[1], port[2]]);
}

// A row of slots through the wall at y (or x with turned), between from and to.
module slots(from, to, y, z, height = 10, pitch = 6) {
    count = floor((to - from) / pitch);
    for (i = [0:count - 1])
        translate([from + (to - from - (count - 1) * pitch) / 2 + i * pitch - 1.25, y - wall - 1, z]) cube([2.5, 2 * wall + 2, height]);
}

// Back plate: lip inside the shell's walls, nuts, standoffs of a Pi.
module back_body(inner, board, pi_at) {
    lip = 1.6;
    difference() {
        union() {
            linear_extrude(back_wall, convexity = 8) box_outline(inner);
            translate([0, 0, back_wall]) linear_extrude(2, convexity = 8) difference() {
                offset(-slack) square(inner);
                offset(-slack - lip) square(inner);
                // Where the ports are there is no room for the lip.
                translate([post, -1]) square([inner.x - 2 * post, lip + slack + 2]);
                if (board == "4") translate([inner.x - lip - slack - 1, post]) square([lip + slack + 2, inner.y - 2 * post]);
            }
            for (at = pi_holes(board)) translate([pi_at.x + at.x, pi_at.y + at.y, back_wall])
                cylinder(d1 = 8, d2 = 5.4, h = standoff, $fn = 32);
        }
        for (at = corners(inner)) translate(at) {
            translate([0, 0, -1]) cylinder(d = screw, h = back_wall + 4, $fn = 24);
            translate([0, 0, -1]) rotate(30) cylinder(d = nut, h = nut_depth + 1, $fn = 6);
        }
        for (at = pi_holes(board)) translate([pi_at.x + at.x, pi_at.y + at.y, 1.2]) cylinder(d = pilot_m25, h = back_wall + standoff, $fn = 20);
    }
}
