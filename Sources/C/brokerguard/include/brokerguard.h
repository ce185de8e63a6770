#pragma once
// A plugin for Mosquitto 2.0 (mosquitto_plugin.h, version 5), loaded by the broker; nobody calls it from Swift.
