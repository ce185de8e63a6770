#pragma once
#include <fcntl.h>
#include <i2c/smbus.h>
#include <linux/i2c-dev.h>
#include <sys/ioctl.h>
#include <unistd.h>

// Whether anything answers at an address of an I2C bus: 1 yes, 0 no, -1 the bus cannot be used (errno).
static inline int srup_i2c_probe(const char *bus, int address) {
    int fd = open(bus, O_RDWR | O_CLOEXEC);
    if (fd < 0) return -1;
    int found = -1;
    if (ioctl(fd, I2C_SLAVE, (long)address) == 0) found = i2c_smbus_read_byte(fd) >= 0;
    close(fd);
    return found;
}
