#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// The GPIO character device, version 2 of its interface. https://docs.kernel.org/userspace-api/gpio/chardev.html

// Reads a chip's label (32 bytes) and number of lines; -1 with errno.
static inline int srup_gpio_chip(const char *path, char *label, unsigned *lines) {
    struct gpiochip_info info;
    memset(&info, 0, sizeof info);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int code = ioctl(fd, GPIO_GET_CHIPINFO_IOCTL, &info);
    int problem = errno;
    close(fd);
    errno = problem;
    if (code != 0) return -1;
    memcpy(label, info.label, sizeof info.label);
    label[sizeof info.label - 1] = 0;
    *lines = info.lines;
    return 0;
}

// Takes a line as output, off at first; its descriptor, or -1 with errno.
static inline int srup_gpio_output(const char *path, unsigned line, int active_low) {
    struct gpio_v2_line_request request;
    memset(&request, 0, sizeof request);
    request.offsets[0] = line;
    request.num_lines = 1;
    strcpy(request.consumer, "srup-observer");
    request.config.flags = GPIO_V2_LINE_FLAG_OUTPUT | (active_low ? GPIO_V2_LINE_FLAG_ACTIVE_LOW : 0);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int code = ioctl(fd, GPIO_V2_GET_LINE_IOCTL, &request);
    int problem = errno;
    close(fd);
    errno = problem;
    if (code != 0) return -1;
    fcntl(request.fd, F_SETFD, FD_CLOEXEC);
    return request.fd;
}

static inline int srup_gpio_set(int fd, int on) {
    struct gpio_v2_line_values values;
    memset(&values, 0, sizeof values);
    values.mask = 1;
    values.bits = on != 0;
    return ioctl(fd, GPIO_V2_LINE_SET_VALUES_IOCTL, &values);
}
