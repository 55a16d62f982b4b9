#include "bus/config.hpp"
