#pragma once

// Marks what the shared library shows; everything else is hidden.
#define ABUZZ_EXPORT __attribute__((visibility("default")))
