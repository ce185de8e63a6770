// Descriptors of a plain USB device (USB 2.0, chapter 9), and the requests that every device answers alike.
#ifndef SRUP_DEVICE_H
#define SRUP_DEVICE_H

#include "usbip.h"

/// What a device says of itself. Texts may be NULL.
struct device_model {
    uint16_t vendor, product;
    uint8_t device_class;
    const char *maker, *name, *serial;
    const uint8_t *configuration; // with its interfaces and endpoints, whole
    size_t configuration_length;
};

/// Answers a standard request; false when it is none, and the device has to.
bool device_answer(struct cable *, const struct device_model *, const struct request *);

#endif
