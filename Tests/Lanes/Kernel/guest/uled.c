// An LED that a program watches: makes /sys/class/leds/NAME through the kernel's uleds and prints each brightness that it
// is given ("brightness 255"), until its standard input ends.
//
//   uled NAME [MOST]
#include <fcntl.h>
#include <linux/uleds.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    struct uleds_user_dev device = {.max_brightness = count > 2 ? atoi(arguments[2]) : 255};
    int leds = open("/dev/uleds", O_RDWR | O_CLOEXEC), brightness;
    if (count < 2 || leds < 0)
        return perror("uled"), 2;
    strncpy(device.name, arguments[1], sizeof device.name - 1);
    if (write(leds, &device, sizeof device) != sizeof device)
        return perror("uled"), 1;
    puts("made");
    for (;;) {
        fflush(stdout);
        struct pollfd ready[2] = {{.fd = leds, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        char byte;
        if (poll(ready, 2, -1) < 0 || (ready[1].revents && read(0, &byte, 1) <= 0))
            return 0;
        if (ready[0].revents && read(leds, &brightness, sizeof brightness) == sizeof brightness)
            printf("brightness %d\n", brightness);
    }
}
