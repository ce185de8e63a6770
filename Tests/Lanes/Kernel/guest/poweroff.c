// Switches the machine off, now. Refuses to anywhere but in user-mode Linux.
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/utsname.h>
#include <unistd.h>

int main(void)
{
    struct utsname name;
    // Inside, uname's release carries the -um suffix that build-kernel's configuration gives it.
    if (uname(&name) || !strstr(name.release, "-um")) {
        fputs("poweroff: this is not the test kernel\n", stderr);
        return 1;
    }
    sync();
    reboot(RB_POWER_OFF);
    return 1;
}
