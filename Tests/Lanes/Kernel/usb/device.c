#include "device.h"

#include <errno.h>
#include <string.h>

static size_t string(const char *text, uint8_t *out)
{
    if (!text)
        return 0;
    size_t length = strlen(text);
    out[0] = (uint8_t)(2 + 2 * length);
    out[1] = 3;
    for (size_t i = 0; i < length; i++) {
        out[2 + 2 * i] = (uint8_t)text[i];
        out[3 + 2 * i] = 0;
    }
    return out[0];
}

/// 0 when there is no such descriptor.
static size_t descriptor(const struct device_model *model, unsigned type, unsigned index, uint8_t *out)
{
    const uint8_t device[] = {18, 1, 0x00, 0x02, model->device_class, 0, 0, 64,
        (uint8_t)model->vendor, (uint8_t)(model->vendor >> 8), (uint8_t)model->product, (uint8_t)(model->product >> 8),
        0x00, 0x01, model->maker ? 1 : 0, model->name ? 2 : 0, model->serial ? 3 : 0, 1};
    const char *const texts[] = {NULL, model->maker, model->name, model->serial};
    switch (type) {
    case 1:
        memcpy(out, device, sizeof device);
        return sizeof device;
    case 2:
        memcpy(out, model->configuration, model->configuration_length);
        return model->configuration_length;
    case 3:
        if (index == 0) {
            memcpy(out, (const uint8_t[]){4, 3, 0x09, 0x04}, 4); // language: English
            return 4;
        }
        return index < 4 ? string(texts[index], out) : 0;
    default:
        return 0;
    }
}

bool device_answer(struct cable *cable, const struct device_model *model, const struct request *request)
{
    static uint8_t out[1024];
    if (request->endpoint || request->setup[0] & 0x60)
        return false;
    size_t size = 0;
    int status = 0;
    switch (request->setup[1]) {
    case 0: // GET_STATUS
        memset(out, 0, 2);
        size = 2;
        break;
    case 6: // GET_DESCRIPTOR
        size = descriptor(model, request->setup[3], request->setup[2], out);
        status = size ? 0 : -EPIPE;
        break;
    case 8: // GET_CONFIGURATION
        out[0] = 1;
        size = 1;
        break;
    case 1:  // CLEAR_FEATURE (a halted endpoint)
    case 3:  // SET_FEATURE
    case 9:  // SET_CONFIGURATION
    case 11: // SET_INTERFACE
        break;
    default:
        status = -EPIPE;
    }
    cable_answer(cable, request, status, out, size);
    return true;
}
