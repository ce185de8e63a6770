/* The microcontroller's two-wire unit as the bus of bus.h: SDA = PD1 (D2), SCL = PD0 (D3), 100 kHz. */
#ifndef TWI_H
#define TWI_H

void twi_begin(void);

#endif
