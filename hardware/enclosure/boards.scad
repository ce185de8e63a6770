// The boards that the boxes are made for: sizes, holes, ports. Millimetres throughout.
//
// From drawings and data sheets; no board has been on our table. Lay yours on the 1:1 sheet (render makes fit.svg) first.
//   Zero 2 W, Pi 4      Raspberry Pi's mechanical drawings (datasheets.raspberrypi.com), component side up, origin at the
//                       corner of the board that is at the lower left when the 40-pin header is along the upper edge
//   camera modules      Raspberry Pi's camera documentation: board 25 x 24 for V1, V2 and 3; depth 9, 9, 11.5, 12.4 (3 Wide)
//   PN532 V3            Elechouse's data: 42.7 x 40.4. There is no official drawing of the holes: 28 x 26 is what builders
//                       of cases measured. So the board is held at its edge; pegs for the holes are an option

// [width, height, hole diameter, [hole centres], thickness]
zero_size = [65, 30];
zero_holes = [[3.5, 3.5], [61.5, 3.5], [3.5, 26.5], [61.5, 26.5]];
pi4_size = [85, 56];
pi4_holes = [[3.5, 3.5], [61.5, 3.5], [3.5, 52.5], [61.5, 52.5]];
pi_thickness = 1.4;
pi_hole = 2.7;

// Openings in the lower wall: [centre across, width, height]; they begin at the board's upper face.
// The plugs' plastic needs more room than the sockets: widths are those of common plugs.
zero_low_ports = [[12.4, 14, 7], [41.4, 12, 8], [54, 12, 8]];             // mini-HDMI, USB, power
pi4_low_ports = [[11.2, 13, 8], [26, 12, 8], [39.5, 12, 8]];              // power (USB-C), two micro-HDMI
// Openings in the right wall: [centre up, width, height].
zero_right_ports = [];
pi4_right_ports = [[9, 15.5, 17], [27, 15.5, 17], [45.75, 17, 14.5]];     // USB, USB, LAN

// Camera module 3. Hole rows 12.5 apart, 21 across; the lens is in the middle, on the level of the lower row.
camera_size = [25, 23.862];
camera_thickness = 1.0;
camera_hole = 2.2;
camera_holes = [[-10.5, 0], [10.5, 0], [-10.5, 12.5], [10.5, 12.5]];      // from the lens
camera_below = 9.462;                                                     // from the lens to the connector's edge
camera_back = 2.8;                                                        // connector behind the board

// camera = "v2", "v3" or "v3-wide": lens before the board's face = depth - thickness - connector;
// the angle is that across the picture's diagonal.
function camera_front(camera) = camera == "v2" ? 5.2 : camera == "v3-wide" ? 8.6 : 7.7;
function camera_diagonal(camera) = camera == "v2" ? 75 : camera == "v3-wide" ? 120 : 75;
camera_body = 12.6;                                                       // what the opening has to let through, square

pn532_size = [42.7, 40.4];
pn532_thickness = 1.6;
pn532_holes = [28, 26];
pn532_hole = 3.0;
pn532_behind = 18;                                                        // header with plugs, behind the board

function pi_size(board) = board == "4" ? pi4_size : zero_size;
function pi_holes(board) = board == "4" ? pi4_holes : zero_holes;
function pi_low_ports(board) = board == "4" ? pi4_low_ports : zero_low_ports;
function pi_right_ports(board) = board == "4" ? pi4_right_ports : zero_right_ports;
// Room above the board: plugs on the header of a Zero 2 W, the USB sockets of a Pi 4.
function pi_above(board) = board == "4" ? 18 : 17;
// Left of the board (the card sticks out by 2.5), right of it (Zero: the ribbon's connector; Pi 4: sockets stick out by 2.8,
// and end in the wall), below, above.
function pi_margins(board) = board == "4" ? [4, 2, 1, 4] : [4, 9, 1, 4];

// --- Boards as they look, for the pictures only.

module pi(board) {
    size = pi_size(board);
    color("#2f7d43") linear_extrude(pi_thickness, convexity = 8) pi_outline(board);
    translate([0, 0, pi_thickness]) {
        color("#222222") translate([32.5 - 25.4, size.y - 6, 0]) cube([50.8, 5, 8.5]);
        color("#444444") translate([size.x * 0.3, size.y * 0.32, 0]) cube([14, 14, 1.5]);
        for (port = pi_low_ports(board))
            color("#b8bcc2") translate([port[0] - 4, -1, 0]) cube([8, 7, 3]);
        for (port = pi_right_ports(board))
            color("#b8bcc2") translate([size.x - 15, port[0] - 6.6, 0]) cube([17.5, 13.2, 13.5]);
        if (board != "4")
            color("#222222") translate([size.x - 4, size.y / 2 - 8.5, 0]) cube([5, 17, 1.5]);
        else
            color("#222222") translate([44, 2, 0]) cube([3, 20, 5.5]);
    }
}

module pi_outline(board) {
    size = pi_size(board);
    difference() {
        rounded(size, 3);
        for (at = pi_holes(board)) translate(at) circle(d = pi_hole, $fn = 24);
    }
}

module camera_outline() {
    difference() {
        translate([-camera_size.x / 2, -camera_below]) rounded(camera_size, 2);
        for (at = camera_holes) translate(at) circle(d = camera_hole, $fn = 24);
    }
}

// Lens at the origin, the board's face at z = 0, the lens looks along z.
module camera_board(camera) {
    color("#2f7d43") translate([0, 0, -camera_thickness]) linear_extrude(camera_thickness, convexity = 8) camera_outline();
    color("#222222") translate([-5.5, -5.5, 0]) cube([11, 11, camera_front(camera) - 2]);
    color("#111111") cylinder(d = 8, h = camera_front(camera), $fn = 32);
    color("#dddddd") translate([-10.5, -camera_below, -camera_thickness - camera_back]) cube([21, 5.5, camera_back]);
}

module pn532_outline(holes = true) {
    difference() {
        rounded(pn532_size, 2);
        if (holes) for (x = [-1, 1], y = [-1, 1])
            translate(pn532_size / 2 + [x * pn532_holes.x, y * pn532_holes.y] / 2) circle(d = pn532_hole, $fn = 24);
    }
}

// The antenna's side at z = pn532_thickness, parts and header behind.
module pn532_board() {
    color("#b03030") linear_extrude(pn532_thickness, convexity = 8) pn532_outline();
    color("#d8a24a") translate([0, 0, pn532_thickness]) linear_extrude(0.1, convexity = 8) difference() {
        translate([2, 2]) rounded(pn532_size - [4, 4], 2);
        translate([4, 4]) rounded(pn532_size - [8, 8], 1);
    }
    color("#222222") translate([12, 4, -8.5]) cube([20, 2.5, 8.5]);
    color("#333333") translate([16, 17, -1]) cube([7, 7, 1]);
}

module rounded(size, r) {
    translate([r, r]) offset(r, $fn = 32) square(size - [2 * r, 2 * r]);
}
