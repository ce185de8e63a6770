// A tap plate for the wall: a PN532 board directly behind a thin front with a marked target, the Pi below it. Millimetres.
//
//   openscad -D 'part="shell"' -D 'board="4"' -o shell.stl tap-plate.scad      (render does all of it)
include <box.scad>

part = "assembly";     // shell, back; assembly, inside; section, fit (flat)
board = "zero2w";      // zero2w, 4

front = 2.0;           // front plate: 2 at most before the antenna
mark = 0.6;            // depth of the target's grooves
gap = 1.0;             // front plate to board: the solder side's joints
keep = 20;             // from the antenna's board down to the Pi's; no metal may be nearer to it than 20 (wiring-pn532.md)
pegs = false;          // pegs for the board's holes: measure yours first (boards.scad)
cable = [14, 9];       // opening in the lower wall for a cable besides the Pi's plugs
cable_d = 12;          // hole in the back plate, for a cable out of the wall

margins = pi_margins(board);
size = pi_size(board);
side = 15;             // antenna board to the side and upper walls
inner = [max(size.x + margins[0] + margins[1], pn532_size.x + 2 * side), size.y + margins[2] + keep + pn532_size.y + side];
pi_at = [inner.x - size.x - margins[1], margins[2]];
pn532_at = [(inner.x - pn532_size.x) / 2, inner.y - side - pn532_size.y];
depth = back_wall + max(standoff + pi_thickness + pi_above(board), pn532_behind) + pn532_thickness + gap + front;
pn532_z = depth - front - gap - pn532_thickness;
target = pn532_at + pn532_size / 2;
led_at = [inner.x / 2, pi_at.y + size.y + 4];
wall_holes = [[9, pn532_at.y - 9], [inner.x - 9, pn532_at.y - 9]];
cable_at = board == "4" ? 72 : 27;        // on the Pi's own scale, between its sockets

// Shortest way from a point to the antenna's board.
function beyond(v, low, high) = max(low - v, v - high, 0);
function to_antenna(p) = norm([beyond(p.x, pn532_at.x, pn532_at.x + pn532_size.x), beyond(p.y, pn532_at.y, pn532_at.y + pn532_size.y), beyond(p.z, pn532_z, pn532_z + pn532_thickness)]);

assert(front <= 2, "the front before the antenna is 2 mm at most");
assert(to_antenna([pn532_at.x, pi_at.y + size.y, back_wall + standoff]) >= 20, "the Pi is too near to the antenna");
for (at = corners(inner)) assert(to_antenna([at.x, at.y, seat + 3]) >= 20, "a corner screw is too near to the antenna");
for (at = wall_holes) assert(to_antenna([at.x, at.y, back_wall]) >= 20, "a wall screw is too near to the antenna");

module mark_outline() {
    for (r = [12, 19]) difference() { circle(r = r, $fn = 72); circle(r = r - 1.6, $fn = 72); }
    // The two strokes of a wave, and a dot: hold it here.
    circle(r = 3, $fn = 32);
    for (a = [0, 90, 180, 270]) rotate(a) translate([22, -0.8]) square([6, 1.6]);
}

module shell() {
    difference() {
        union() {
            shell_body(inner, depth, front);
            // Corners that hold the board at its edge, with a step that keeps the gap.
            for (x = [0, 1], y = [0, 1]) translate([pn532_at.x + x * pn532_size.x, pn532_at.y + y * pn532_size.y, 0]) mirror([x, 0, 0]) mirror([0, y, 0]) {
                translate([-2 - slack, -2 - slack, depth - front - gap - pn532_thickness - 1.5]) difference() {
                    cube([9, 9, gap + pn532_thickness + 2]);
                    translate([2, 2, -1]) cube([20, 20, pn532_thickness + 2.5]);
                    translate([6, 6, -1]) cube([20, 20, 20]);
                }
            }
            if (pegs) for (x = [-1, 1], y = [-1, 1]) translate([target.x + x * pn532_holes.x / 2, target.y + y * pn532_holes.y / 2, pn532_z])
                cylinder(d1 = pn532_hole - 0.8, d2 = pn532_hole - 0.4, h = gap + pn532_thickness + 0.5, $fn = 20);
            translate([led_at.x, led_at.y, depth - front - 4]) cylinder(d = led + 3.2, h = 4.5, $fn = 32);
        }
        port_openings(board, pi_at, inner);
        translate([pi_at.x + cable_at - cable.x / 2, -wall - 1, back_wall - 1]) cube([cable.x, wall + 2, cable.y + 1]);
        translate([led_at.x, led_at.y, depth - front - 5]) cylinder(d = led, h = front + 10, $fn = 32);
        translate([target.x, target.y, depth - mark]) linear_extrude(2, convexity = 8) mark_outline();
        slots(8, inner.x - 8, inner.y + wall / 2, back_wall + 5, depth - front - back_wall - 10);
        slots(8, inner.x - 8, -wall / 2, back_wall + standoff + 13, max(depth - front - back_wall - standoff - 16, 4));
    }
}

module back() {
    difference() {
        union() {
            back_body(inner, board, pi_at);
            // Pillars that press the board's corners against the front's steps; a bit of foam on each.
            for (x = [3.2, pn532_size.x - 3.2], y = [3.2, pn532_size.y - 3.2]) translate([pn532_at.x + x, pn532_at.y + y, back_wall])
                cylinder(d1 = 8, d2 = 5, h = pn532_z - back_wall - 0.5, $fn = 32);
        }
        for (at = wall_holes) translate([at.x, at.y, -1]) {
            cylinder(d = 4.5, h = back_wall + 2, $fn = 24);
            translate([0, 0, back_wall - 1.5]) cylinder(d1 = 4.5, d2 = 9.5, h = 2.51, $fn = 32);
        }
        translate([inner.x / 2, pn532_at.y - 9, -1]) cylinder(d = cable_d, h = back_wall + 2, $fn = 40);
    }
}

module boards() {
    translate([pi_at.x, pi_at.y, back_wall + standoff]) pi(board);
    translate([pn532_at.x, pn532_at.y, pn532_z]) pn532_board();
}

module flat_section() {
    projection(cut = true) rotate([0, 90, 0]) translate([-(pn532_at.x + 3.2), 0, 0]) { shell(); back(); translate([pn532_at.x, pn532_at.y, pn532_z]) linear_extrude(pn532_thickness, convexity = 8) pn532_outline(holes = false); }
}

module fit() {
    pi_outline(board);
    translate([0, size.y + 6]) pn532_outline();
}

if (part == "shell") rotate([180, 0, 0]) translate([0, -inner.y, -depth]) shell();
else if (part == "back") back();
else if (part == "section") flat_section();
else if (part == "fit") fit();
else if (part == "inside") rotate([90, 0, 0]) { color("#c9c9c4") back(); boards(); translate([0, 0, 45]) color("#e6e6e2") shell(); }
else rotate([90, 0, 0]) {
    color("#e6e6e2") shell();
    color("#c9c9c4") back();
    color("#34508a") translate([target.x, target.y, depth - mark + 0.02]) linear_extrude(0.1, convexity = 8) mark_outline();
    color("#5cc85c") translate([led_at.x, led_at.y, depth]) sphere(d = led - 0.2, $fn = 24);
    boards();
}

echo(str("box ", inner.x + 2 * wall, " x ", inner.y + 2 * wall, " x ", depth, " mm; antenna ", front + gap, " mm behind the front; Pi ", round(to_antenna([pn532_at.x, pi_at.y + size.y, back_wall + standoff])), " mm from it"));
