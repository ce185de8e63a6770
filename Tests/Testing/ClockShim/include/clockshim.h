#pragma once
// Preloaded into programs by tests; nobody calls it from Swift.
