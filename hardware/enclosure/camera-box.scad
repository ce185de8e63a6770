// A camera on a stand: a Pi Zero 2 W or Pi 4 with a camera module before it, on a foot that looks down on a rest for the
// device. Foot and rest are screwed to one plank, as plank.svg says. Millimetres and degrees.
//
//   openscad -D 'part="shell"' -D 'board="4"' -o shell.stl camera-box.scad      (render does all of it)
include <box.scad>

part = "assembly";     // shell, back, hood, foot, rest; assembly, inside; section, plank, fit (flat)
board = "zero2w";      // zero2w, 4
camera = "v3";         // v2, v3, v3-wide: see boards.scad

distance = 250;        // lens to the middle of the code: mounting.md (v3: a code of 15 mm to 30 cm, one of 30 mm to 59 cm)
look_down = 25;        // the camera's axis below the horizontal
lean = 10;             // the device leans back by so much: look_down - lean = 15 is off its normal, against glare (10 to 20)
code_height = 45;      // middle of the code above the rest's shelf, along the device
device = [90, 18];     // widest device, and its depth with slack: the rest's shelf

front = 2.4;           // front plate
recess = 0.8;          // the lens ends so far behind the front's face
hood_length = camera == "v3-wide" ? 6 : 16;   // matt black inside; not in the picture: it opens 4 degrees wider than the camera sees
ribbon = 4;            // room for the ribbon's bend behind the camera's connector

margins = pi_margins(board);
size = pi_size(board);
inner = [size.x + margins[0] + margins[1], max(size.y + margins[2] + margins[3], 44)];
pi_at = [margins[0], margins[2]];
// The camera's board before a Pi 4's USB sockets would not fit: it is at the left third.
lens = [board == "4" ? 34 : inner.x / 2, inner.y / 2 - 3];
led_at = [board == "4" ? 72 : 9, inner.y - 9];
camera_post = camera_front(camera) + recess - front;
depth = back_wall + standoff + pi_thickness + pi_above(board) + ribbon + camera_back + camera_thickness + camera_post + front;
lens_z = depth - recess;
opening = camera_body / 2 * sqrt(2);
half = camera_diagonal(camera) / 2;
mount = [[inner.x / 2 - 24, inner.y / 2 - 4], [inner.x / 2 + 24, inner.y / 2 - 4]];   // screws into the foot's head

assert(camera_post >= 2, "the lens is too short for this front plate");
assert(abs(look_down - lean) >= 10 && abs(look_down - lean) <= 20, "10 to 20 degrees off the device's normal (mounting.md)");
assert(norm(lens - led_at) > 25, "the LED is too near to the lens");

module shell() {
    difference() {
        union() {
            shell_body(inner, depth, front);
            for (at = camera_holes) translate([lens.x + at.x, lens.y + at.y, depth - front - camera_post])
                cylinder(d = 4.6, h = camera_post + 0.5, $fn = 24);
            translate([led_at.x, led_at.y, depth - front - 4]) cylinder(d = led + 3.2, h = 4.5, $fn = 32);
        }
        port_openings(board, pi_at, inner);
        // Opening for the lens: square behind, wide enough in front for what the camera sees.
        translate([lens.x - camera_body / 2, lens.y - camera_body / 2, depth - front - 1]) cube([camera_body, camera_body, front + 2]);
        translate([lens.x, lens.y, depth - 1]) cylinder(r1 = opening - 1.2, r2 = opening + 0.8, h = 1.01, $fn = 48);
        // The hood's ring goes into a groove.
        translate([lens.x, lens.y, depth - 1]) linear_extrude(2, convexity = 8) difference() {
            circle(r = opening + 3.2 + slack / 2, $fn = 64);
            circle(r = opening + 1.6 - slack / 2, $fn = 64);
        }
        for (at = camera_holes) translate([lens.x + at.x, lens.y + at.y, depth - front - camera_post - 1])
            cylinder(d = pilot_m2, h = camera_post + 1.6, $fn = 16);
        translate([led_at.x, led_at.y, depth - front - 5]) cylinder(d = led, h = front + 10, $fn = 32);
        slots(8, inner.x - 8, inner.y + wall / 2, back_wall + 8, depth - front - back_wall - 16);
        slots(8, inner.x - 8, -wall / 2, back_wall + standoff + 13, max(depth - front - back_wall - standoff - 19, 4));
    }
}

module back() {
    difference() {
        back_body(inner, board, pi_at);
        for (at = mount) translate([at.x, at.y, -1]) {
            cylinder(d = screw, h = back_wall + 2, $fn = 24);
            translate([0, 0, back_wall - 1]) cylinder(d1 = screw, d2 = 6.6, h = 2.01, $fn = 32);
        }
    }
}

// Stands on its ring.
module hood() {
    end = 4 + tan(half + 4) * (hood_length + recess);     // 4: half the lens
    difference() {
        union() {
            translate([0, 0, -0.9]) cylinder(r = opening + 3.2, h = 1.2, $fn = 64);
            cylinder(r1 = opening + 3.2, r2 = max(end, opening + 1.6) + 1.6, h = hood_length, $fn = 64);
        }
        translate([0, 0, -1]) cylinder(r = opening + 1.6, h = 1.01, $fn = 64);
        cylinder(r1 = opening + 1.6, r2 = max(end, opening + 1.6), h = hood_length + 0.01, $fn = 64);
    }
}

// --- Where everything is: y runs from the device to the camera, z up from the plank. The code's middle is (0, code_z).
shelf = 12;                                             // the rest's shelf above the plank
code_y = 0;
code_z = shelf + code_height * cos(lean);
lens_y = distance * cos(look_down);
lens_up = code_z + distance * sin(look_down);
// From the lens back along the axis to the foot's head.
head_y = lens_y + lens_z * cos(look_down);
head_up = lens_up + lens_z * sin(look_down);
head_size = [64, 40, 6];
foot_size = [90, 112, 6];
foot_y = head_y + 20;                                   // the foot's middle

// Puts a thing of the box's coordinates (front = towards z) into the room: the lens to its place, looking at the code.
module placed() {
    translate([0, lens_y, lens_up]) rotate([90 + look_down, 0, 0]) translate([-lens.x, -lens.y, -lens_z]) children();
}

// The head in the room: a plate behind the box's back, its upper face on the back.
module head_plate(extra = 0) {
    placed() translate([inner.x / 2 - head_size.x / 2 - extra, inner.y / 2 - 4 - head_size.y / 2, -head_size.z]) cube([head_size.x + 2 * extra, head_size.y, head_size.z]);
}

module foot() {
    centre = inner.x / 2 - lens.x;
    difference() {
        union() {
            head_plate();
            // Below the head's wings 45 degrees, so that they print without supports.
            placed() translate([inner.x / 2, inner.y / 2 - 4 - head_size.y / 2, -head_size.z]) linear_extrude(head_size.z)
                polygon([[-head_size.x / 2, 0.5], [-head_size.x / 2, 0], [-11.5, -20.5], [11.5, -20.5], [head_size.x / 2, 0], [head_size.x / 2, 0.5]]);
            translate([centre - foot_size.x / 2, foot_y - foot_size.y / 2, 0]) cube(foot_size);
            // Two cheeks and a web between them.
            for (x = [-12, 8]) hull() {
                translate([centre, 0, 0]) intersection() {
                    translate([-centre, 0, 0]) head_plate();
                    translate([x, -1000, 0]) cube([4, 2000, 1000]);
                }
                translate([centre + x, foot_y - 50, 0]) cube([4, 100, 6]);
            }
            hull() {
                intersection() {
                    placed() translate([-200, inner.y / 2 - 4 - 3, -head_size.z]) cube([600, 6, head_size.z]);
                    translate([centre - 12, -1000, 0]) cube([24, 2000, 1000]);
                }
                translate([centre - 12, foot_y - 3, 0]) cube([24, 6, 6]);
            }
        }
        placed() for (at = mount) translate([at.x, at.y, -head_size.z - 30]) cylinder(d = screw, h = 60, $fn = 24);
        for (x = [-36, 36], y = [-48, 48]) translate([centre + x, foot_y + y, -1]) cylinder(d = 4.5, h = 20, $fn = 24);
    }
}

// The device's place: leans back by lean, a shelf with a lip, open in the middle for a cable.
module rest() {
    lip = 5;
    wide = device.x;
    difference() {
        rotate([90, 0, 90]) translate([0, 0, -wide / 2]) linear_extrude(wide, convexity = 8) polygon(concat(
            [[device.y + 14, 0], [device.y + 14, 5]],
            [[rest_y(0) + device.y / cos(lean) + 4, 5], [rest_y(0) + device.y / cos(lean) + 4, shelf + lip], [rest_y(0) + device.y / cos(lean), shelf + lip], [rest_y(0) + device.y / cos(lean), shelf]],
            [[rest_y(0), shelf], [rest_y(85), shelf + 85 * cos(lean)], [rest_y(85) - 6, shelf + 85 * cos(lean)], [-34, 5], [-48, 5], [-48, 0]]));
        translate([-14, -200, 5]) cube([28, 400, shelf + lip]);
        for (x = [-36, 36], y = [-41, device.y + 9]) translate([x, y, -1]) cylinder(d = 4.5, h = 20, $fn = 24);
    }
}
// The device's back at length s above the shelf; its face, device.y before it, has the code's middle at y = 0.
function rest_y(s) = code_y + code_height * sin(lean) - device.y / cos(lean) - s * sin(lean);

module assembly() {
    placed() {
        color("#e6e6e2") shell();
        color("#c9c9c4") back();
        color("#333333") translate([lens.x, lens.y, depth]) hood();
        translate([pi_at.x, pi_at.y, back_wall + standoff]) pi(board);
        translate([lens.x, lens.y, lens_z - camera_front(camera)]) camera_board(camera);
        color("#5cc85c") translate([led_at.x, led_at.y, depth]) sphere(d = led - 0.2, $fn = 24);
    }
    color("#9db4d0") foot();
    color("#9db4d0") rest();
    // A device with its code, and what the camera looks along.
    translate([0, rest_y(0), shelf]) rotate([lean, 0, 0]) {
        color("#34508a") translate([-30, 0.2, 0.2]) cube([60, device.y - 1, 80]);
        color("white") translate([-20, device.y - 0.8, code_height - 20]) cube([40, 0.4, 40]);
        color("black") for (x = [-7.5:3:7.5], z = [-7.5:3:7.5]) if ((x * 7 + z * 5 + x * z) % 4 < 2)
            translate([x * 1.6 - 2, device.y - 0.3, code_height + z * 1.6 - 2]) cube([4, 0.3, 4]);
    }
    color("#c62828") hull() {
        translate([0, 0, code_z]) sphere(0.5, $fn = 8);
        translate([0, lens_y, lens_up]) sphere(0.5, $fn = 8);
    }
    color("#d9c7a0") translate([-60, -60, -18]) cube([120, foot_y + foot_size.y / 2 + 75, 18]);
}

// The plank from above: holes for four and four M4 (wood screws 4 mm), and where the code is.
module plank() {
    centre = inner.x / 2 - lens.x;
    difference() {
        translate([-60, -60]) square([120, foot_y + foot_size.y / 2 + 75]);
        for (x = [-36, 36], y = [-41, device.y + 9]) translate([x, y]) circle(d = 2.5, $fn = 16);
        for (x = [-36, 36], y = [-48, 48]) translate([centre + x, foot_y + y]) circle(d = 2.5, $fn = 16);
    }
}

module flat_section() {
    projection(cut = true) rotate([0, 90, 0]) translate([-lens.x, 0, 0]) { shell(); back(); translate([lens.x, lens.y, depth]) hood(); }
}

// Print this at 1:1 and lay the boards on it.
module fit() {
    pi_outline(board);
    translate([15, size.y + 6 + camera_below]) camera_outline();
}

// Parts lie as they are printed.
if (part == "shell") rotate([180, 0, 0]) translate([0, -inner.y, -depth]) shell();
else if (part == "back") back();
else if (part == "hood") translate([0, 0, 0.9]) hood();
else if (part == "foot") translate([0, -foot_y, 0]) foot();
else if (part == "rest") rest();
else if (part == "plank") plank();
else if (part == "section") flat_section();
else if (part == "fit") fit();
else if (part == "inside") { back(); translate([pi_at.x, pi_at.y, back_wall + standoff]) pi(board); translate([0, 0, 55]) { color("#e6e6e2") shell(); translate([lens.x, lens.y, lens_z - camera_front(camera)]) camera_board(camera); } }
else assembly();

echo(str("lens ", round(lens_up), " mm above the plank, ", round(lens_y), " mm from the code along it; foot's middle at ", round(foot_y), " mm; box ", inner.x + 2 * wall, " x ", inner.y + 2 * wall, " x ", depth, " mm"));
