// Preloaded into a program that drives a PN532 or a small display over I2C: what it does on the device named by
// SRUP_I2C_DEVICE (by default /dev/i2c-1) goes to the simulated chip behind the socket SRUP_I2C_SOCKET, whose address on the
// bus is SRUP_I2C_CHIP (by default 0x24, a PN532). Everything else is left alone.
//
// Taken over: open, close, read, write, ioctl (I2C_SLAVE, I2C_SMBUS read byte), all that libnfc and libi2c use.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST 64

// The slave address set on each descriptor of ours; 0: not ours.
static struct { int fd; unsigned char address; } ours[MOST];

static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_close)(int);
static int (*real_ioctl)(int, unsigned long, ...);
static int (*real_open)(const char *, int, ...);

__attribute__((constructor)) static void find_real(void) {
    real_read = dlsym(RTLD_NEXT, "read");
    real_write = dlsym(RTLD_NEXT, "write");
    real_close = dlsym(RTLD_NEXT, "close");
    real_ioctl = dlsym(RTLD_NEXT, "ioctl");
    real_open = dlsym(RTLD_NEXT, "open");
}

static int slot(int fd) {
    for (int i = 0; i < MOST; i++)
        if (ours[i].address && ours[i].fd == fd) return i;
    return -1;
}

static int is_device(const char *path) {
    const char *name = getenv("SRUP_I2C_DEVICE");
    return getenv("SRUP_I2C_SOCKET") && strcmp(path, name ? name : "/dev/i2c-1") == 0;
}

static unsigned char chip(void) {
    const char *text = getenv("SRUP_I2C_CHIP");
    return text ? (unsigned char)strtol(text, NULL, 0) : 0x24;
}

static int connect_chip(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, getenv("SRUP_I2C_SOCKET"), sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        real_close(fd);
        errno = ENODEV;
        return -1;
    }
    for (int i = 0; i < MOST; i++)
        if (!ours[i].address) {
            ours[i].fd = fd;
            ours[i].address = 0xFF;
            return fd;
        }
    real_close(fd);
    errno = EMFILE;
    return -1;
}

static int open_any(const char *path, int flags, mode_t mode) {
    if (is_device(path)) return connect_chip();
    return real_open(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return open_any(path, flags | O_LARGEFILE, mode);
}

// The fortified forms.
int __open_2(const char *path, int flags) { return open_any(path, flags, 0); }
int __open64_2(const char *path, int flags) { return open_any(path, flags | O_LARGEFILE, 0); }

int close(int fd) {
    int i = slot(fd);
    if (i >= 0) ours[i].address = 0;
    return real_close(fd);
}

static int get(int fd, void *buffer, size_t count) {
    for (size_t done = 0; done < count;) {
        ssize_t part = real_read(fd, (char *)buffer + done, count - done);
        if (part <= 0) return -1;
        done += (size_t)part;
    }
    return 0;
}

// One transaction. No acknowledge is what Linux makes of it: EREMOTEIO.
static ssize_t transact(int fd, unsigned char address, char kind, void *buffer, size_t count) {
    unsigned char head[3] = {(unsigned char)kind, (unsigned char)(count >> 8), (unsigned char)count};
    unsigned char status;
    if (address != chip()) {
        errno = EREMOTEIO;
        return -1;
    }
    if (real_write(fd, head, 3) != 3) goto gone;
    if (kind == 'W' && real_write(fd, buffer, count) != (ssize_t)count) goto gone;
    if (get(fd, &status, 1) != 0) goto gone;
    if (status) {
        errno = EREMOTEIO;
        return -1;
    }
    if (kind == 'R' && get(fd, buffer, count) != 0) goto gone;
    return (ssize_t)count;
gone:
    errno = EIO;
    return -1;
}

ssize_t read(int fd, void *buffer, size_t count) {
    int i = slot(fd);
    if (i < 0) return real_read(fd, buffer, count);
    return transact(fd, ours[i].address, 'R', buffer, count);
}

ssize_t write(int fd, const void *buffer, size_t count) {
    int i = slot(fd);
    if (i < 0) return real_write(fd, buffer, count);
    return transact(fd, ours[i].address, 'W', (void *)buffer, count);
}

int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    int i = slot(fd);
    if (i < 0) return real_ioctl(fd, request, argument);
    if (request == I2C_SLAVE || request == I2C_SLAVE_FORCE) {
        ours[i].address = (unsigned char)(uintptr_t)argument;
        return 0;
    }
    if (request == I2C_FUNCS) {
        *(unsigned long *)argument = I2C_FUNC_I2C | I2C_FUNC_SMBUS_READ_BYTE;
        return 0;
    }
    if (request == I2C_SMBUS) {
        struct i2c_smbus_ioctl_data *data = argument;
        if (data->read_write != I2C_SMBUS_READ || data->size != I2C_SMBUS_BYTE) {
            errno = EOPNOTSUPP;
            return -1;
        }
        return transact(fd, ours[i].address, 'R', &data->data->byte, 1) == 1 ? 0 : -1;
    }
    errno = ENOTTY;
    return -1;
}
