#include "bus/stats.hpp"
